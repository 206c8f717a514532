/** Sends as many random datagrams as its second argument says to 127.0.0.11:53, decided by the seed in its first. */
import { createSocket } from "node:dgram";
import { seeded } from "./breakages.ts";

const [seed = "1", count = "1"] = process.argv.slice(2);
const random = seeded(Number(seed));
const socket = createSocket("udp4");
const QUERY = Uint8Array.fromHex("1234010000010000000000000573706c697404746573740000010001");

/** Half of them are noise, half a good query with some octets changed, cut off or with more behind it. */
function datagram(): Uint8Array {
  if (random() < 0.5) return Uint8Array.from({ length: Math.floor(random() * 700) }, () => Math.floor(random() * 256));
  const bytes = new Uint8Array(QUERY.length + Math.floor(random() * 64));
  bytes.set(QUERY);
  for (let i = 0; i < 1 + random() * 4; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
  return bytes.subarray(0, Math.floor(random() * (bytes.length + 1)));
}

for (let sent = 0; sent < Number(count); sent++) {
  await new Promise<void>((done) => socket.send(datagram(), 53, "127.0.0.11", () => done()));
}
socket.close();
