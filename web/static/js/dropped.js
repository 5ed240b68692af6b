// The files behind a drop, folders walked. Browsers hand out entries only during the event, so they are taken at once.
// Each comes as { file, path }: the path within what was dropped keeps files of the same name apart.

export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return { files: [...transfer.files].map(named), leftOut: 0 };
  const found = [];
  for (const entry of entries) await walk(entry, found);
  const files = found.filter(({ file }) => /\.(jpe?g|png)$/i.test(file.name));
  return { files, leftOut: found.length - files.length };
}

// A file chosen by itself; one of a folder picker knows its path.
export const named = (file) => ({ file, path: file.webkitRelativePath || file.name });

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path: entry.fullPath.replace(/^\/+/, "") });
    return;
  }
  const reader = entry.createReader();
  // A reader gives at most a hundred entries at a time, and an empty list at the end.
  for (let some = await read(reader); some.length; some = await read(reader)) {
    for (const child of some) await walk(child, found);
  }
}

const read = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
