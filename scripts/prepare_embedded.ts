/**
 * Makes dist/generated: what the executable carries inside. `busybox.ts` with Debian's static busybox and the
 * list of what its root filesystem holds, `tini.ts` with the init of `--init`, `licenses.ts` with the texts `version --licenses` prints.
 *
 * Usage: bun scripts/prepare_embedded.ts BUSYBOX [SOURCE_VERSION [TINI]]
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

/** A directory of the built-in root filesystem, with its mode (octal). */
const DIRECTORIES: readonly (readonly [path: string, mode: number])[] = [
  ["bin", 0o755],
  ["dev", 0o755],
  ["etc", 0o755],
  ["home", 0o755],
  ["proc", 0o755],
  ["root", 0o700],
  ["run", 0o755],
  ["sbin", 0o755],
  ["sys", 0o755],
  ["tmp", 0o1777],
  ["usr", 0o755],
  ["usr/bin", 0o755],
  ["usr/sbin", 0o755],
  ["var", 0o755],
  ["var/run", 0o755],
  ["var/spool", 0o755],
  ["var/tmp", 0o1777],
];

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;

const GROUP = `root:x:0:
daemon:x:1:
bin:x:2:
tty:x:5:
www-data:x:33:
nogroup:x:65534:
`;

const FILES: readonly (readonly [path: string, mode: number, text: string])[] = [
  ["etc/passwd", 0o644, PASSWD],
  ["etc/group", 0o644, GROUP],
  ["etc/shadow", 0o640, "root:*:::::::\nnobody:*:::::::\n"],
  ["etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files dns\n"],
];

const OUT = "dist/generated";

/** "bin/ash", "usr/bin/env", …; busybox itself is the file they link to, not one of the links. */
function appletPaths(busybox: string): string[] {
  // One for another machine cannot be asked: the one installed here is of the same source and has the same applets.
  const asked = elfMachine(busybox) === elfMachine("/bin/busybox") ? busybox : "/bin/busybox";
  const listing = Bun.spawnSync([asked, "--list-full"]).stdout.toString();
  const paths = listing.split("\n").filter((path) => path !== "" && path !== "bin/busybox");
  if (paths.length < 100) throw new Error(`${busybox} --list-full names ${paths.length} applets only`);
  return paths.sort();
}

/** e_machine of an ELF file (elf.h): 62 is x86-64, 183 is arm64. */
function elfMachine(path: string): number {
  return readFileSync(path).readUInt16LE(18);
}

function writeBusybox(busybox: string): void {
  const bytes = readFileSync(busybox);
  const applets = appletPaths(busybox);
  const layout = JSON.stringify({ DIRECTORIES, FILES, applets });
  const id = createHash("sha256").update(bytes).update(layout).digest("hex");
  writeFileSync(`${OUT}/busybox.bin`, bytes);
  writeFileSync(
    `${OUT}/busybox.ts`,
    [
      "// @ts-nocheck: the types are in src/embedded.d.ts",
      `import file from "./busybox.bin" with { type: "file" };`,
      `export const busybox = {`,
      `  id: "${id}",`,
      `  file,`,
      `  size: ${bytes.length},`,
      `  applets: ${JSON.stringify(applets.join("\n"))},`,
      `  directories: ${JSON.stringify(DIRECTORIES.map(([path, mode]) => `${mode.toString(8)} ${path}`).join("\n"))},`,
      `  files: () => ${JSON.stringify(FILES.map(([path, mode, text]) => ({ path, mode, text })))},`,
      `};`,
      ``,
    ].join("\n"),
  );
}

function writeLicenses(sourceVersion: string): void {
  const sections = [
    ["skdocker", readFileSync("LICENSE", "utf8")],
    ["tini", readFileSync("/usr/share/doc/tini/copyright", "utf8")],
    [
      "Bun",
      `The program runs on Bun ${Bun.version} (https://bun.com), which is inside this file: MIT, with parts under other
licences, JavaScriptCore under the GNU LGPL 2 among them. Bun's licensing page names them and where their sources are.`,
    ],
    [
      `busybox (Debian's busybox-static ${sourceVersion})`,
      `The built-in root filesystem "busybox" holds /bin/busybox, unchanged, from Debian's package busybox-static.
It is a program of its own, licensed under the GNU General Public License, version 2, printed below.
Its complete source is Debian's source package "busybox", version ${sourceVersion}: on any Debian system with
deb-src lines, \`apt-get source busybox=${sourceVersion}\`. For three years from the date of this build, whoever
gave you this file will, on request, give you that source for no more than the cost of copying it.

${readFileSync("/usr/share/common-licenses/GPL-2", "utf8")}`,
    ],
  ] as const;
  const text = sections.map(([title, body]) => `${title}\n${"=".repeat(title.length)}\n\n${body.trim()}\n`).join(
    "\n\n",
  );
  writeFileSync(`${OUT}/licenses.txt`, text);
  writeFileSync(
    `${OUT}/licenses.ts`,
    `// @ts-nocheck: the types are in src/embedded.d.ts\nimport file from "./licenses.txt" with { type: "file" };\nexport const licenses = { file };\n`,
  );
}

/** The small init of `--init`, Debian's tini-static, unchanged. */
function writeTini(tini: string): void {
  const bytes = readFileSync(tini);
  writeFileSync(`${OUT}/tini.bin`, bytes);
  const id = createHash("sha256").update(bytes).digest("hex");
  writeFileSync(
    `${OUT}/tini.ts`,
    `// @ts-nocheck: the types are in src/embedded.d.ts\nimport file from "./tini.bin" with { type: "file" };\nexport const tini = { id: "${id}", file };\n`,
  );
}

const [busybox = "/bin/busybox", sourceVersion = "unknown", tini = "/usr/bin/tini-static"] = process.argv.slice(2);
mkdirSync(OUT, { recursive: true });
writeBusybox(busybox);
writeTini(tini);
writeLicenses(sourceVersion);
