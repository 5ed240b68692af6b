// Numbers with their nouns and verbs, like those of web/quantities.py.

export const amount = (number) => number.toLocaleString("en");

export const counted = (number, noun) => `${amount(number)} ${noun}${number === 1 ? "" : "s"}`;

// Whole minutes from two on: "90 seconds", "5 minutes".
export const duration = (seconds) =>
  seconds >= 120 ? counted(Math.round(seconds / 60), "minute") : counted(Math.ceil(seconds), "second");

export const megabytes = (bytes) =>
  (bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 });

// What happens to the files that were not rejected.
export function othersAreScreened(number) {
  if (!number) return "Nothing is being screened.";
  return number === 1 ? "The other one is being screened." : `The other ${amount(number)} are being screened.`;
}
