/** What the kernel has: tables, chains, rules, sets and elements, anyone's. Every dump is one consistent state. */
import { isKernelError } from "../../../ffi/errno.ts";
import { query } from "../netlink/message.ts";
import type { AttributeTable, AttributeValues } from "../netlink/schema.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { type Chain, CHAIN_ATTRIBUTES, readChain } from "./chain.ts";
import { type DumpedElement, ELEMENT_LIST_ATTRIBUTES, readElements } from "./element.ts";
import { type FamilyName, familyName, familyNumber } from "./family.ts";
import { type MessageName, messageNumber, NFGENMSG } from "./nfgenmsg.ts";
import { type ChainName, type DumpedRule, readRule, RULE_ATTRIBUTES } from "./rule.ts";
import { readSet, SET_ATTRIBUTES, type SetDefinition } from "./set.ts";
import { type DumpedTable, readTable, type Table, TABLE_ATTRIBUTES } from "./table.ts";

function messageType<const Attributes extends AttributeTable>(name: MessageName, attributes: Attributes) {
  return { name, number: messageNumber(name), header: NFGENMSG, attributes };
}

/** A request for what `attributes` name, answered by messages of the same attributes. */
function ask<const Attributes extends AttributeTable>(
  [get, answer]: readonly [MessageName, MessageName],
  { table, family, attributes, subject }: {
    table: Attributes;
    family: FamilyName | undefined;
    attributes: AttributeValues<Attributes>;
    subject: string;
  },
) {
  return query(messageType(get, table), {
    reply: messageType(answer, table),
    header: { family: family === undefined ? 0 : familyNumber(family) },
    attributes,
    operation: "read",
    subject,
  });
}

/** The table of this name as it is, or `undefined` where there is none. */
export function getTable(socket: NetlinkSocket, { family, name }: Table): DumpedTable | undefined {
  const request = ask(["NFT_MSG_GETTABLE", "NFT_MSG_NEWTABLE"], {
    table: TABLE_ATTRIBUTES,
    family,
    attributes: { NFTA_TABLE_NAME: name },
    subject: `table ${family} ${name}`,
  });
  try {
    return readTable(socket.get(request).attributes, family);
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return undefined; // that it is not there is the answer
    throw error;
  }
}

/** All chains of all families; those at a hook have a `base`. */
export function dumpChains(socket: NetlinkSocket): Chain[] {
  const request = ask(["NFT_MSG_GETCHAIN", "NFT_MSG_NEWCHAIN"], {
    table: CHAIN_ATTRIBUTES,
    family: undefined,
    attributes: {},
    subject: "the chains",
  });
  return collect(socket.dump(request), readChain);
}

/** The rules of a table in order, of one chain where it is named. Expressions not known here keep their name. */
export function dumpRules(
  socket: NetlinkSocket,
  { family, table, chain }: Omit<ChainName, "chain"> & { chain?: string },
): DumpedRule[] {
  const request = ask(["NFT_MSG_GETRULE", "NFT_MSG_NEWRULE"], {
    table: RULE_ATTRIBUTES,
    family,
    attributes: { NFTA_RULE_TABLE: table, NFTA_RULE_CHAIN: chain },
    subject: `the rules of ${family} ${table}${chain === undefined ? "" : ` ${chain}`}`,
  });
  return collect(socket.dump(request), readRule);
}

/** The sets and maps of a table, the nameless ones of its rules too (`__set0`). */
export function dumpSets(socket: NetlinkSocket, { family, name }: Table): SetDefinition[] {
  const request = ask(["NFT_MSG_GETSET", "NFT_MSG_NEWSET"], {
    table: SET_ATTRIBUTES,
    family,
    attributes: { NFTA_SET_TABLE: name },
    subject: `the sets of ${family} ${name}`,
  });
  return collect(socket.dump(request), readSet);
}

/**
 * The elements of a set. Its definition says how to read the keys.
 * Throws the KernelError ENOENT where there is no such set.
 */
export function dumpElements(socket: NetlinkSocket, set: SetDefinition): DumpedElement[] {
  const { family, table, name } = set;
  const request = ask(["NFT_MSG_GETSETELEM", "NFT_MSG_NEWSETELEM"], {
    table: ELEMENT_LIST_ATTRIBUTES,
    family,
    attributes: { NFTA_SET_ELEM_LIST_TABLE: table, NFTA_SET_ELEM_LIST_SET: name },
    subject: `the elements of ${family} ${table} ${name}`,
  });
  return socket.dump(request).flatMap(({ attributes }) =>
    attributes.NFTA_SET_ELEM_LIST_ELEMENTS ? readElements(attributes.NFTA_SET_ELEM_LIST_ELEMENTS, set.key) : []
  );
}

/** Reads what came; objects of families that are not known here are left out. */
function collect<Values, Result>(
  messages: readonly { readonly header: { readonly family: number }; readonly attributes: Values }[],
  read: (values: Values, family: FamilyName) => Result,
): Result[] {
  const results: Result[] = [];
  for (const { header, attributes } of messages) {
    const family = familyName(header.family);
    if (family !== undefined) results.push(read(attributes, family));
  }
  return results;
}
