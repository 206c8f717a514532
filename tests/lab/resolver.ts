/** A resolver on the loopback of a lab's host, as systemd-resolved is one. */
import { type Lab, type LabProcess, until } from "../lab.ts";

/** Starts dnsmasq on an address of the host's and waits until it listens. Names it does not know go to the internet. */
export async function startResolver(lab: Lab, address: string, ...flags: string[]): Promise<LabProcess> {
  const server = lab.spawn([
    ...["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--no-resolv"],
    ...["--no-hosts", "--bind-interfaces", `--listen-address=${address}`, "--cache-size=0"],
    ...["--server=220.181.38.152", ...flags],
  ]);
  const shown = address.includes(":") ? `[${address}]:53 ` : `${address}:53 `;
  await until("the resolver", () => lab.output(["ss", "-lnutH"]).split(shown).length === 3);
  return server;
}
