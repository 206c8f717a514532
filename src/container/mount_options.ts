/** Mount options as `mount -o` takes them, split into what the mount is told and what the file system is told. Pure. */
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from "../kernel/mount_flags.ts";

/** Options of one mount. */
export interface MountOptions {
  /** MOUNT_ATTR_* */
  readonly attributes: number;
  /** For fsconfig(2): `["size", "64k"]`, `["newinstance", null]`. */
  readonly parameters: readonly (readonly [name: string, value: string | null])[];
}

/** Splits options. The bind and propagation words are neither: the parent has done what they say. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let attributes = 0;
  const parameters: (readonly [string, string | null])[] = [];
  for (const option of options) {
    const attribute = attributeOf(option);
    if (attribute !== undefined) {
      attributes |= attribute;
      continue;
    }
    const equals = option.indexOf("=");
    parameters.push(equals < 0 ? [option, null] : [option.slice(0, equals), option.slice(equals + 1)]);
  }
  return { attributes, parameters };
}

function attributeOf(option: string): number | undefined {
  switch (option) {
    case "ro":
      return MOUNT_ATTR_RDONLY;
    case "nosuid":
      return MOUNT_ATTR_NOSUID;
    case "nodev":
      return MOUNT_ATTR_NODEV;
    case "noexec":
      return MOUNT_ATTR_NOEXEC;
    case "bind":
    case "rbind":
    case "private":
    case "rprivate":
      return 0;
    default:
      return undefined;
  }
}
