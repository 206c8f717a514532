/** Bytes on their way to a container that ends meanwhile. */
import { expect, test } from "bun:test";
import { Pump } from "../../src/container/pump.ts";
import { openFile, readInto, writeAll } from "../../src/kernel/files.ts";
import { O_DIRECTORY } from "../../src/kernel/open_flags.ts";
import { pipe, setNonBlocking } from "../../src/kernel/pipes.ts";
import { Reactor } from "../../src/kernel/reactor.ts";
import { openPty } from "../../src/kernel/pty.ts";

test("a key typed as the container's terminal goes away is not followed by a read that waits for another", () => {
  using devpts = openFile("/dev/pts", { flags: O_DIRECTORY });
  using pty = openPty(devpts);
  const keyboard = pipe();
  using source = keyboard.read;
  using typing = keyboard.write;
  using reactor = new Reactor();
  using pump = new Pump({ source: { fd: source.fd }, sink: { fd: pty.master.fd } });
  pump.attach(reactor);
  writeAll(typing.fd, new TextEncoder().encode("a"));
  expect(reactor.turn(1000)).toBe(1); // it is read
  pty.slave.close();
  writeAll(typing.fd, new TextEncoder().encode("b"));
  expect(reactor.turn(1000)).toBe(1); // it is written: there is room, and nobody at the other end
  // A second read belongs to another event: this one did not say that there is anything to read.
  setNonBlocking(source.fd, true);
  const bytes = new Uint8Array(8);
  expect(readInto(source.fd, bytes)).toBe(1);
  expect(String.fromCharCode(bytes[0] ?? 0)).toBe("b");
});
