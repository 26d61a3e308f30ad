// What the types must not let through: the compiler complains where one of these lines is no error.

import type { Client } from "./client.js";

export async function misread(client: Client): Promise<void> {
  // @ts-expect-error there is no such address
  await client.call("get", "/me/coins");
  // @ts-expect-error it can not be deleted
  await client.call("delete", "/program");
  // @ts-expect-error an amount of money is a string
  await client.call("post", "/me/tier/what-if", { body: { spend: 5000 } });
  // @ts-expect-error the field has another name
  await client.call("post", "/me/redemptions/quote", { body: { reward_id: "rw_1" } });
  // @ts-expect-error no voucher has that state
  await client.call("get", "/me/vouchers", { query: { state: "lost" } });
  // @ts-expect-error the address needs its id
  await client.call("get", "/me/vouchers/{voucher_id}", { path: {} });
  const { points } = await client.call("get", "/me/summary");
  // @ts-expect-error points are a number
  points.available.trim();
  const { tiers } = await client.call("get", "/tiers");
  // @ts-expect-error the lowest tier asks for nothing
  tiers[0]!.rise.sentence.trim();
}
