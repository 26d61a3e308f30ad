// A member's whole journey through a mini-program: node journey.js ADDRESS_OF_THE_API ADDRESS_OF_WECHAT
//
// Each step prints one line of JSON. A line with `asks` waits for a line on the standard input: something has to happen
// outside of the phone first.

import { createInterface } from "node:readline";
import process from "node:process";

import type { components } from "./api.js";
import { Client, Refused, type Tokens } from "./client.js";
import { NodeWx } from "./node_wx.js";

type SignedIn = components["schemas"]["SignedIn"];
type Receipt = components["schemas"]["RedemptionReceipt"];
type Consent = components["schemas"]["SaidYesRequest"];

const [api, wechat] = process.argv.slice(2) as [string, string];
const USER = "li";
const PHONE = "13800138000";
const CONSENTS: Consent[] = [{ purpose: "service", text_version: 1 }];

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const wx = new NodeWx(async () => (await codes()).login_code);
const client = new Client(wx, api, async (caller, refresh) =>
  tokensOf(await caller.call("post", "/auth/refresh", { body: { refresh_token: refresh } })),
);

function tell(step: string, told: Record<string, unknown> = {}): void {
  console.log(JSON.stringify({ step, ...told }));
}

async function outside(asks: string): Promise<void> {
  console.log(JSON.stringify({ asks }));
  await answers.next();
}

/** What WeChat's own app hands to a mini-program: the codes of `wx.login` and of the phone button. */
async function codes(): Promise<{ login_code: string; phone_code: string }> {
  const answer = await fetch(`${wechat}/fake/codes`, { method: "POST", body: JSON.stringify({ user: USER, phone: PHONE }) });
  return (await answer.json()) as { login_code: string; phone_code: string };
}

function loginCode(): Promise<string> {
  return new Promise((done, failed) => {
    wx.login({ success: ({ code }) => done(code), fail: ({ errMsg }) => failed(new Error(errMsg)) });
  });
}

function tokensOf({ access_token, refresh_token }: SignedIn): Tokens {
  if (access_token === null || refresh_token === null) throw new Error("no tokens");
  return { access: access_token, refresh: refresh_token };
}

/** Does what has to be refused, and tells how it was. */
async function refused(step: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { status, code, title, detail } = error.problem;
    return tell(step, { status, code, title, detail });
  }
  throw new Error(`${step} was not refused`);
}

function found<T>(items: readonly T[], fits: (item: T) => boolean, what: string): T {
  const item = items.find(fits);
  if (item === undefined) throw new Error(`there is no ${what}`);
  return item;
}

async function looksAround(): Promise<void> {
  const program = await client.call("get", "/program");
  tell("program", { name: program.name, currency: program.currency, languages: program.languages });
  const { tiers } = await client.call("get", "/tiers");
  const first = wx.answered.at(-1);
  const again = await client.call("get", "/tiers");
  tell("tiers", {
    labels: tiers.map(({ label }) => label),
    statuses: [first, wx.answered.at(-1)],
    same: again.tiers.length === tiers.length,
  });
}

async function joins(): Promise<void> {
  const login = await client.call("post", "/auth/wechat/login", { body: { code: await loginCode(), device: "iPhone" } });
  tell("login", { next: login.next, member: login.member });
  const binding_token = login.binding_token ?? "";
  const without = { binding_token, code: (await codes()).phone_code };
  await refused("bind_without_consent", () => client.call("post", "/auth/wechat/phone", { body: without, key: "bind-1" }));

  const body = { binding_token, code: (await codes()).phone_code, consents: CONSENTS, device: "iPhone" };
  wx.loseNext = 1;
  const bound = await client.call("post", "/auth/wechat/phone", { body, key: "bind-2" });
  client.signIn(tokensOf(bound));
  tell("bind", { joined: bound.joined, statuses: wx.answered.slice(-2) });
}

async function tellsOfThemself(): Promise<void> {
  const me = await client.call("get", "/me");
  const etag = client.etag;
  await refused("change_unread", () => client.call("patch", "/me", { body: { name: "李雷" } }));
  const changed = await client.call("patch", "/me", { body: { name: "李雷", birthday: "1995-05-20" }, ifMatch: etag });
  await refused("change_outdated", () => client.call("patch", "/me", { body: { name: "韩梅梅" }, ifMatch: etag }));
  const now = await client.call("get", "/me");
  tell("me", { phone: me.phone, name: [me.name, changed.name, now.name], birthday: now.birthday, language: now.language });
}

async function looksAtTheStanding(): Promise<void> {
  const tier = await client.call("get", "/me/tier");
  const wished = await client.call("post", "/me/tier/what-if", { body: { spend: "5000.00" } });
  tell("tier", { label: tier.tier.label, sentence: tier.sentence, risen_to: wished.risen_to?.label, wish: wished.sentence });
  const { code, seed_id } = await client.call("get", "/me/code");
  tell("code", { code, seed_id });
  await outside("purchase");
  const { points, tier: now, vouchers_usable } = await client.call("get", "/me/summary");
  tell("summary", { available: points.available, credits: now.credits, sentence: now.sentence, vouchers_usable });
}

async function redeems(): Promise<Receipt> {
  const { items } = await client.call("get", "/rewards", { query: { limit: 20 } });
  tell("rewards", { items: items.map(({ name, price_points, affordable }) => ({ name, price_points, affordable })) });
  const dear = found(items, ({ affordable }) => affordable === false, "reward that is too dear");
  const voucher = found(items, ({ kind, affordable }) => kind === "voucher" && affordable === true, "voucher");

  const quote = await client.call("post", "/me/redemptions/quote", { body: { reward: voucher.id } });
  tell("quote", { points: quote.price_points, can_redeem: quote.can_redeem });
  const body = { quote: quote.quote_id };
  wx.loseNext = 1;
  const placed = await client.call("post", "/me/redemptions", { body, key: "redeem-1" });
  const statuses = wx.answered.slice(-2);
  const again = await client.call("post", "/me/redemptions", { body, key: "redeem-1" });
  tell("redeem", { statuses, same: again.id === placed.id, points: placed.points, left: placed.points_available });
  await refused("redeem_other_with_key", () =>
    client.call("post", "/me/redemptions", { body: { reward: dear.id }, key: "redeem-1" }),
  );
  await refused("redeem_too_dear", () => client.call("post", "/me/redemptions", { body: { reward: dear.id }, key: "redeem-2" }));
  const mine = await client.call("get", "/me/redemptions");
  tell("redemptions", { ids: mine.items.map(({ id }) => id === placed.id), states: mine.items.map((one) => one.state_label) });
  return placed;
}

async function looksIntoTheWallet({ voucher }: Receipt): Promise<void> {
  const voucher_id = voucher?.id ?? "";
  const { items } = await client.call("get", "/me/vouchers", { query: { state: "issued" } });
  const detail = await client.call("get", "/me/vouchers/{voucher_id}", { path: { voucher_id } });
  tell("voucher", {
    mine: items.map(({ id }) => id === voucher_id),
    code: detail.code,
    sentence: detail.sentence,
    usable: detail.usable_now,
  });
}

async function changesTheirMind({ id, cancellable, voucher }: Receipt): Promise<void> {
  const unused = { path: { redemption_id: id }, key: "cancel-0" };
  const given_back = await client.call("post", "/me/redemptions/{redemption_id}/cancel", unused);
  const ours = { path: { voucher_id: voucher?.id ?? "" } };
  const { state, code } = await client.call("get", "/me/vouchers/{voucher_id}", ours);
  tell("cancel_voucher", { was: cancellable, state: given_back.state, voucher: state, code });
  const { items } = await client.call("get", "/rewards", { query: { kind: "gift" } });
  const gift = found(items, ({ delivery }) => delivery.includes("post"), "gift by post");
  const address = { name: "李雷", phone: PHONE, lines: ["上海市黄浦区", "南京东路 1 号"] };
  const placed = await client.call("post", "/me/redemptions", {
    body: { reward: gift.id, delivery: "post", address },
    key: "redeem-3",
  });
  const path = { redemption_id: placed.id };
  wx.loseNext = 1;
  const cancelled = await client.call("post", "/me/redemptions/{redemption_id}/cancel", { path, key: "cancel-1" });
  const again = await client.call("post", "/me/redemptions/{redemption_id}/cancel", { path, key: "cancel-2" });
  const { points } = await client.call("get", "/me/summary");
  tell("cancel", {
    was: placed.cancellable,
    states: [cancelled.state, again.state],
    points: [placed.points_available, points.available],
  });
}

async function readsTheBook(): Promise<void> {
  const kinds: string[] = [];
  let earned = "";
  for (let cursor: string | undefined; ; ) {
    const page = await client.call("get", "/me/points/entries", { query: { limit: 2, ...(cursor ? { cursor } : {}) } });
    for (const { id, kind } of page.items) {
      kinds.push(kind);
      if (kind === "earn") earned = id;
    }
    if (page.next === null) break;
    cursor = page.next;
  }
  const { explanation, available_change } = await client.call("get", "/me/points/entries/{entry_id}", {
    path: { entry_id: earned },
  });
  tell("entries", { kinds, points: available_change, lines: explanation.lines });
}

async function keepsTheSession(): Promise<void> {
  const { sessions } = await client.call("get", "/me/sessions");
  tell("sessions", { devices: sessions.map(({ device }) => device), current: sessions.map(({ is_current }) => is_current) });

  const first = client.tokens!;
  await outside("token_ends");
  const sent = wx.sent.length;
  const [me] = await Promise.all([client.call("get", "/me"), client.call("get", "/me/vouchers")]);
  const renewals = wx.sent.slice(sent).filter((call) => call.endsWith("/auth/refresh")).length;
  tell("renewed", { name: me.name, renewals, fresh: client.tokens!.access !== first.access });

  const next = await client.call("post", "/auth/refresh", { body: { refresh_token: client.tokens!.refresh } });
  client.signIn(tokensOf(next));
  const copied = { refresh_token: first.refresh };
  await refused("copied_token", () => client.call("post", "/auth/refresh", { body: copied }));
  await refused("family_ended", () => client.call("get", "/me"));
  tell("signed_out_by_copy", { tokens: client.tokens });
}

async function leaves(): Promise<void> {
  const login = await client.call("post", "/auth/wechat/login", { body: { code: await loginCode(), device: "iPhone" } });
  const tokens = tokensOf(login);
  client.signIn(tokens);
  tell("login_again", { next: login.next, joined: login.joined, known: login.member !== null });
  await client.call("post", "/auth/logout");
  tell("logout", { status: wx.answered.at(-1) });
  await refused("after_logout", () => client.call("get", "/me"));
  await refused("without_token", () => client.call("get", "/me"));
}

await looksAround();
await joins();
await tellsOfThemself();
await looksAtTheStanding();
const receipt = await redeems();
await looksIntoTheWallet(receipt);
await changesTheirMind(receipt);
await readsTheBook();
await keepsTheSession();
await leaves();
process.exit(0);
