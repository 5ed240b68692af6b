// Writes times in the reader's own zone and way. Without this module they are in UTC, as the server writes them.
//   <time data-local>          one of a list whose heading names the zone: <span data-zone>UTC</span>
//   <time data-local="zone">   with the name of the zone behind it

const DAY_AND_TIME = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
const plain = new Intl.DateTimeFormat(undefined, DAY_AND_TIME);
const zoned = new Intl.DateTimeFormat(undefined, { ...DAY_AND_TIME, timeZoneName: "short" });
const zone = zoned.formatToParts().find(({ type }) => type === "timeZoneName").value;

// Changes the times inside `root`, and returns it.
export function inReadersZone(root) {
  for (const element of root.querySelectorAll("time[data-local]")) {
    const written = element.textContent.trim();
    element.title = written.endsWith("UTC") ? written : `${written} UTC`;
    element.textContent = (element.dataset.local === "zone" ? zoned : plain).format(new Date(element.dateTime));
    delete element.dataset.local; // so that nothing is changed twice
  }
  for (const element of root.querySelectorAll("[data-zone]")) element.textContent = zone;
  return root;
}

inReadersZone(document);
