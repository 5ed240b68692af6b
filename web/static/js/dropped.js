// The files that were dropped, with all files in dropped folders. Browsers give access to the entries only during the
// event, so they are taken first. Each file is given as { file, path }; the path tells files of the same name apart.

export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return { files: [...transfer.files].map(named), leftOut: 0 };
  const all = [];
  for (const entry of entries) await walk(entry, all);
  const files = all.filter(({ file }) => /\.(jpe?g|png)$/i.test(file.name));
  return { files, leftOut: all.length - files.length };
}

// A file chosen by itself; one of a folder picker knows its path.
export const named = (file) => ({ file, path: file.webkitRelativePath || file.name });

// Adds the files of an entry, which may be a folder, to `files`.
async function walk(entry, files) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    files.push({ file, path: entry.fullPath.replace(/^\/+/, "") });
    return;
  }
  const reader = entry.createReader();
  // A reader gives at most a hundred entries at a time, and an empty list at the end.
  for (let some = await read(reader); some.length; some = await read(reader)) {
    for (const child of some) await walk(child, files);
  }
}

const read = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
