/**
 * Operations as messages of nfnetlink.
 * Source: nf_tables.h (enum nf_tables_msg_types), nfnetlink.h (struct nfgenmsg, NFNL_SUBSYS_NFTABLES).
 */
import type { AttributeWriter } from "../netlink/attributes.ts";
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, type Request } from "../netlink/message.ts";
import { writeChain, writeChainName } from "./chain.ts";
import { writeElement, writeElementName } from "./element.ts";
import { type FamilyName, familyNumber } from "./family.ts";
import { type MessageName, messageNumber, NFGENMSG, NFNL_SUBSYS_NFTABLES } from "./nfgenmsg.ts";
import { describeOperation, type NftOperation } from "./operation.ts";
import { writeRule, writeRuleName } from "./rule.ts";
import { writeSet, writeSetName } from "./set.ts";
import { writeTable, writeTableName } from "./table.ts";

// nfnetlink.h: messages of no subsystem, which frame a batch
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;

/** What begins or ends a batch. The subsystem stands in the header, in network order. */
export function batchFrame(which: "BEGIN" | "END"): Request {
  return {
    name: `NFNL_MSG_BATCH_${which}`,
    type: which === "BEGIN" ? NFNL_MSG_BATCH_BEGIN : NFNL_MSG_BATCH_END,
    flags: 0,
    operation: "send",
    subject: "a batch to nf_tables",
    write: (writer) => writeHeader(writer, { family: 0, resource: NFNL_SUBSYS_NFTABLES << 8 }),
    text: () => "",
  };
}

function writeHeader(writer: AttributeWriter, header: { family: number; resource: number }): void {
  NFGENMSG.write({ ...header, version: 0 }, writer.reserve(NFGENMSG.size));
}

const OBJECTS = { table: "TABLE", chain: "CHAIN", set: "SET", element: "SETELEM", rule: "RULE" } as const;

/**
 * The messages of an operation: one, or two where the kernel has no single one for it (`destroy`).
 * `id` is a number no other set of the batch has.
 */
export function operationMessages(operation: NftOperation, id: number): Request[] {
  switch (operation.verb) {
    case "add":
    case "insert":
    case "create":
      return [newMessage(operation, id)];
    case "delete":
      return [deleteMessage(operation)];
    case "destroy":
      return [newMessage(operation, id), deleteMessage(operation)];
    case "flush":
      return [flushMessage(operation)];
  }
}

function newMessage(operation: NftOperation, id: number): Request {
  return message(operation, { action: "NEW", flags: newFlags(operation) }, (writer) => {
    if ("table" in operation) writeTable(writer, operation.table);
    else if ("chain" in operation) writeChain(writer, operation.chain);
    else if ("set" in operation) writeSet(writer, operation.set, id);
    else if ("element" in operation) writeElement(writer, operation.element);
    else if (!("handle" in operation.rule)) writeRule(writer, operation.rule);
  });
}

function newFlags(operation: NftOperation): number {
  const exclusive = operation.verb === "create" ? NLM_F_EXCL : 0;
  // nft(8) does not say "create" for a table unless it must be new; the kernel does not ask for it either.
  if ("table" in operation) return exclusive;
  return NLM_F_CREATE | exclusive | ("rule" in operation && operation.verb === "add" ? NLM_F_APPEND : 0);
}

function deleteMessage(operation: NftOperation): Request {
  return message(operation, { action: "DEL", flags: 0 }, (writer) => {
    if ("table" in operation) writeTableName(writer, operation.table);
    else if ("chain" in operation) writeChainName(writer, operation.chain);
    else if ("set" in operation) writeSetName(writer, operation.set);
    else if ("element" in operation) writeElementName(writer, operation.element);
    else writeRuleName(writer, operation.rule);
  });
}

/** To delete a rule without saying which is to delete them all. */
function flushMessage(operation: NftOperation): Request {
  return message(operation, { action: "DEL", object: "rule", flags: 0 }, (writer) => {
    if ("table" in operation) writeRuleName(writer, { table: operation.table.name });
    else if ("chain" in operation) writeRuleName(writer, { table: operation.chain.table, chain: operation.chain.name });
  });
}

interface Kind {
  readonly action: "NEW" | "DEL";
  readonly object?: keyof typeof OBJECTS;
  readonly flags: number;
}

function message(operation: NftOperation, kind: Kind, write: (writer: AttributeWriter) => void): Request {
  const name: MessageName = `NFT_MSG_${kind.action}${OBJECTS[kind.object ?? objectOf(operation)]}`;
  return {
    name,
    type: messageNumber(name),
    flags: kind.flags,
    ...describeOperation(operation),
    write: (writer) => {
      writeHeader(writer, { family: familyNumber(familyOf(operation)), resource: 0 });
      write(writer);
    },
    text: () => describeOperation(operation).subject,
  };
}

function objectOf(operation: NftOperation): keyof typeof OBJECTS {
  if ("table" in operation) return "table";
  if ("chain" in operation) return "chain";
  if ("set" in operation) return "set";
  return "element" in operation ? "element" : "rule";
}

function familyOf(operation: NftOperation): FamilyName {
  if ("table" in operation) return operation.table.family;
  if ("chain" in operation) return operation.chain.family;
  if ("set" in operation) return operation.set.family;
  return "element" in operation ? operation.element.set.family : operation.rule.family;
}
