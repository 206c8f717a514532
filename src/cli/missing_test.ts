import { expect, test } from "bun:test";
import { type ErrnoName, errnoNumber, KernelError } from "../../ffi/errno.ts";
import { missingFeature } from "./missing.ts";
import { describeError } from "./report.ts";

/** As the kernel refuses it. */
function refusal(operation: string, subject: string, code: ErrnoName, kernelText?: string): KernelError {
  return new KernelError({ operation, subject, errno: errnoNumber(code), ...(kernelText ? { kernelText } : {}) });
}

test("what a kernel lacks is named, with the module that would bring it", () => {
  const cases: [KernelError, string][] = [
    [refusal('mount "overlay" on', "/", "ENODEV"), 'no overlay file system, is the module "overlay" there?'],
    [refusal("make link", "skbr0", "EOPNOTSUPP", "Unknown device type"), 'no bridge links, is the module "bridge"'],
    [refusal("make link", "veth01234567", "EOPNOTSUPP", "Unknown device type"), 'no veth links, is the module "veth"'],
    [refusal("create table", "inet skdocker", "EOPNOTSUPP"), 'no nf_tables, is the module "nf_tables" there?'],
    [refusal("change", "the nftables rule set", "EOPNOTSUPP"), "no nf_tables"],
    [refusal("open", "a netfilter socket", "EPROTONOSUPPORT"), "no nf_tables"],
    [refusal("change the root to", "the container's root file system", "EINVAL"), "the initial ramfs"],
    [refusal("open", "a path", "ENOSYS"), "this kernel is too old, Linux 5.10 is needed"],
  ];
  for (const [error, words] of cases) {
    expect(missingFeature(error)).toContain(words);
    expect(describeError(new Error("it failed", { cause: error }))).toEndWith(`: ${missingFeature(error)}`);
  }
});

test("what the kernel refuses for another reason is left as it is", () => {
  const others = [
    refusal("find link", "eth0", "ENODEV"),
    refusal("make link", "skbr0", "EEXIST"),
    refusal("add rule", "inet skdocker forward", "ENOENT"),
    refusal("add address", "172.16.0.1", "EOPNOTSUPP"),
    new Error("ENOSYS"),
  ];
  for (const error of others) expect(missingFeature(error)).toBeUndefined();
});
