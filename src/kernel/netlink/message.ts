/**
 * Netlink messages: `struct nlmsghdr`, a family's fixed header, attributes. What is said is a Request, what
 * is heard a RawMessage until a MessageType has read it. Pure.
 * Source: include/uapi/linux/netlink.h, netlink(7).
 */
import { type FieldTable, type Struct, struct, type StructValues } from "../../../ffi/struct.ts";
import { align, AttributeReader, type AttributeWriter } from "./attributes.ts";
import {
  attributeName,
  type AttributeTable,
  type AttributeValues,
  chosenTable,
  formatAttributes,
  formatHeader,
  type LooseValues,
  readAttributes,
  writeAttributes,
} from "./schema.ts";

const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

const NLMSG_HDRLEN = 16;

const NLMSGHDR = struct("nlmsghdr", { length: "u32", type: "u16", flags: "u16", sequence: "u32", port: "u32" });

/** A kind of message: its kernel name and number, fixed header and attributes. */
export interface MessageType<Fields extends FieldTable, Table extends AttributeTable> {
  readonly name: string;
  readonly number: number;
  readonly header: Struct<Fields>;
  readonly attributes: Table;
}

/** What a message of a type holds. */
export interface Message<Fields extends FieldTable, Table extends AttributeTable> {
  readonly header: StructValues<Fields>;
  readonly attributes: AttributeValues<Table>;
}

/** What a message of the type `Type` holds. */
export type MessageOf<Type> = Type extends MessageType<infer Fields, infer Table> ? Message<Fields, Table> : never;

/** What the kernel is asked, ready to be sent, with the words for its refusal. */
export interface Request {
  /** The message's kernel name, for traces. */
  readonly name: string;
  readonly type: number;
  /** NLM_F_* beyond NLM_F_REQUEST; NLM_F_ACK is set by the socket where it waits for one. */
  readonly flags: number;
  /** `Cannot OPERATION "SUBJECT"`. */
  readonly operation: string;
  readonly subject: string;
  /** Writes all that follows struct nlmsghdr. */
  write(writer: AttributeWriter): void;
  /** The same as a line of text, for traces. */
  text(): string;
  /** The kernel's name of the attribute at an offset of the encoded message, where it is known. */
  attributeAt?(message: Uint8Array, offset: number): string | undefined;
}

/** A request whose answers are messages of a known type. */
export interface Query<Fields extends FieldTable, Table extends AttributeTable> extends Request {
  readonly reply: MessageType<Fields, Table>;
}

/** What a request consists of. */
export interface RequestParts<Fields extends FieldTable, Table extends AttributeTable> {
  readonly flags?: number;
  readonly operation: string;
  readonly subject: string;
  readonly header?: Partial<StructValues<Fields>>;
  readonly attributes?: AttributeValues<Table>;
}

/** A request of a type. */
export function request<Fields extends FieldTable, Table extends AttributeTable>(
  type: MessageType<Fields, Table>,
  parts: RequestParts<Fields, Table>,
): Request {
  const header = parts.header ?? {};
  const attributes: LooseValues = parts.attributes ?? {};
  return {
    name: type.name,
    type: type.number,
    flags: parts.flags ?? 0,
    operation: parts.operation,
    subject: parts.subject,
    write(writer) {
      type.header.write(header, writer.reserve(type.header.size));
      writeAttributes(writer, type.attributes, attributes);
    },
    text: () => messageText(type, { header, attributes }),
    attributeAt: (message, offset) =>
      findAttribute(type.attributes, { message, offset, start: NLMSG_HDRLEN + align(type.header.size) }),
  };
}

/** A request of a type with the type of its answers. */
export function query<
  Fields extends FieldTable,
  Table extends AttributeTable,
  ReplyFields extends FieldTable,
  ReplyTable extends AttributeTable,
>(
  type: MessageType<Fields, Table>,
  parts: RequestParts<Fields, Table> & { readonly reply: MessageType<ReplyFields, ReplyTable> },
): Query<ReplyFields, ReplyTable> {
  return { ...request(type, parts), reply: parts.reply };
}

/** `ifinfomsg(index 3) IFLA_MTU 1500` */
export function messageText(
  type: MessageType<FieldTable, AttributeTable>,
  { header, attributes }: { header: LooseValues; attributes: LooseValues },
): string {
  return `${formatHeader(type.header.name, header)} ${formatAttributes(type.attributes, attributes)}`.trimEnd();
}

/** Appends a request as a whole message. */
export function writeMessage(
  writer: AttributeWriter,
  request: Request,
  { sequence, flags }: { sequence: number; flags: number },
): void {
  const start = writer.length;
  const header = { type: request.type, flags: request.flags | NLM_F_REQUEST | flags, sequence };
  NLMSGHDR.write(header, writer.reserve(NLMSG_HDRLEN));
  request.write(writer);
  writer.patchU32(start, writer.length - start);
}

/** A message as it came: its header's fields and the bytes behind it. */
export interface RawMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  readonly body: Uint8Array;
}

/** The messages of a datagram, as windows on its bytes. Throws a RangeError where one is truncated. */
export function splitMessages(datagram: Uint8Array): RawMessage[] {
  const messages: RawMessage[] = [];
  for (let offset = 0; offset < datagram.length;) {
    const { length, type, flags, sequence, port } = NLMSGHDR.read({ bytes: datagram, offset });
    if (length < NLMSG_HDRLEN || offset + length > datagram.length) {
      throw new RangeError(`netlink message is truncated: it says ${length} bytes, ${datagram.length - offset} came`);
    }
    messages.push({ type, flags, sequence, port, body: datagram.subarray(offset + NLMSG_HDRLEN, offset + length) });
    offset += align(length);
  }
  return messages;
}

/** Reads a message by its type. Throws a RangeError where its bytes are not what the type says. */
export function readMessage<Fields extends FieldTable, Table extends AttributeTable>(
  type: MessageType<Fields, Table>,
  { body }: RawMessage,
  { keepUnknown = false }: { keepUnknown?: boolean } = {},
): Message<Fields, Table> {
  const header = type.header.decode(body);
  const reader = new AttributeReader(body, { offset: align(type.header.size) });
  return { header, attributes: readAttributes(reader, type.attributes, { keepUnknown }) };
}

// include/uapi/linux/netlink.h: enum nlmsgerr_attrs
const NLMSGERR = {
  NLMSGERR_ATTR_MSG: [1, "string"],
  NLMSGERR_ATTR_OFFS: [2, "u32"],
  NLMSGERR_ATTR_MISS_TYPE: [5, "u32"],
} as const satisfies AttributeTable;

const INT = struct("int", { value: "s32" });

/** What an NLMSG_ERROR or NLMSG_DONE says: errno 0 is an acknowledgement. */
export interface Acknowledgement {
  /** Positive. */
  readonly errno: number;
  /** The kernel's sentence, if it has one. */
  readonly text: string | undefined;
  /** Where in the request the refused attribute starts. */
  readonly offset: number | undefined;
  /** The type of an attribute that should have been there. */
  readonly missing: number | undefined;
}

/** Reads NLMSG_ERROR (struct nlmsgerr) and NLMSG_DONE (an int), with the extended acknowledgement behind it. */
export function readAcknowledgement({ type, flags, body }: RawMessage): Acknowledgement {
  if (body.length < 4) return { errno: 0, text: undefined, offset: undefined, missing: undefined };
  const errno = 0 - INT.decode(body).value;
  let values: AttributeValues<typeof NLMSGERR> = {};
  if ((flags & NLM_F_ACK_TLVS) !== 0) {
    let start = 4;
    if (type === NLMSG_ERROR) {
      // The refused request follows: its header alone, or (without NETLINK_CAP_ACK) all of it.
      start += NLMSG_HDRLEN;
      if ((flags & NLM_F_CAPPED) === 0) start += align(NLMSGHDR.read({ bytes: body, offset: 4 }).length) - NLMSG_HDRLEN;
    }
    values = readAttributes(new AttributeReader(body, { offset: start }), NLMSGERR);
  }
  return {
    errno,
    text: values.NLMSGERR_ATTR_MSG,
    offset: values.NLMSGERR_ATTR_OFFS,
    missing: values.NLMSGERR_ATTR_MISS_TYPE,
  };
}

/** The path of kernel names to the attribute that starts at `offset`: `IFLA_LINKINFO.IFLA_INFO_KIND`. */
function findAttribute(
  table: AttributeTable,
  { message, offset, start }: { message: Uint8Array; offset: number; start: number },
): string | undefined {
  const reader = new AttributeReader(message, { offset: start });
  return walk(reader, table, offset);
}

function walk(reader: AttributeReader, table: AttributeTable, offset: number): string | undefined {
  const siblings: Record<string, unknown> = {};
  while (reader.next()) {
    const start = reader.location.offset - 4;
    if (offset < start) return undefined;
    const name = attributeName(table, reader.type);
    if (name === undefined) continue;
    if (offset === start) return name;
    const type = table[name]?.[1];
    if (type === "string" || type === "text") siblings[name] = reader.string(name);
    if (offset >= start + 4 + reader.length || typeof type !== "object") continue;
    const inner: AttributeTable = type.form === "choice" ? chosenTable(type, siblings) ?? {} : type.table;
    const skip = type.form === "body" ? align(type.struct.size) : 0;
    const found = reader.nested((r) => walk(r, inner, offset), { skip });
    return found === undefined ? name : `${name}.${found}`;
  }
  return undefined;
}
