// The official client against our server, at one version of the API:
// node official.js BASE TOKEN VERSION DATA_SOURCE DATABASE. The client is found from the folder that KEEL_NOTION_SDK
// names. Ends with 1 and the reason when something is not as the client expects it.
const assert = require("node:assert/strict")

const [base, token, version, dataSource, database] = process.argv.slice(2)
const sdk = require(process.env.KEEL_NOTION_SDK + "/node_modules/@notionhq/client")
const client = new sdk.Client({
  auth: token, baseUrl: base, notionVersion: version, logLevel: "error",
  retry: { maxRetries: 3, initialRetryDelayMs: 10, maxRetryDelayMs: 2000 },
})
const text = (content) => [{ type: "text", text: { content } }]

async function people() {
  const me = await client.users.me({})
  assert.ok(sdk.isFullUser(me) && me.type === "bot")
  const users = await sdk.collectPaginatedAPI(client.users.list, { page_size: 1 })
  assert.equal(users.length, 2)
}

async function containers() {
  const found = await client.databases.retrieve({ database_id: database })
  assert.ok(sdk.isFullDatabase(found))
  assert.equal(found.data_sources[0].id, dataSource)
  assert.equal("archived" in found, version < "2026")
  const source = await client.dataSources.update({
    data_source_id: dataSource,
    properties: { keel_id: { rich_text: {} }, Tags: { multi_select: {} }, Kind: { select: {} } },
  })
  assert.ok(sdk.isFullDataSource(source))
  assert.equal(source.properties.Tags.type, "multi_select")
}

async function rows() {
  const properties = {
    Name: { title: text("A boat") }, keel_id: { rich_text: text("01K") },
    Kind: { select: { name: "fact" } }, Tags: { multi_select: [{ name: "sea" }, { name: "home" }] },
  }
  const parent = { type: "data_source_id", data_source_id: dataSource }
  const made = await client.pages.create({ parent, properties, markdown: "The boat\n\nis red * and {old}." })
  assert.ok(sdk.isFullPage(made))
  assert.match(made.last_edited_time, /:00\.000Z$/)
  assert.deepEqual(made.properties.Tags.multi_select.map((tag) => tag.name), ["sea", "home"])
  const page = await client.pages.retrieve({ page_id: made.id.replaceAll("-", "") })
  assert.equal(page.id, made.id)
  assert.equal(page.parent.data_source_id, dataSource)
  const read = await client.pages.retrieveMarkdown({ page_id: made.id })
  assert.equal(read.object, "page_markdown")
  assert.equal(read.markdown, "The boat\nis red \\* and \\{old\\}.")
  const edited = await client.pages.updateMarkdown({
    page_id: made.id, type: "update_content",
    update_content: { content_updates: [{ old_str: "The boat", new_str: "The **ship**" }] },
  })
  assert.equal(edited.markdown, "The **ship**\nis red \\* and \\{old\\}.")
  await assert.rejects(client.pages.updateMarkdown({
    page_id: made.id, type: "update_content",
    update_content: { content_updates: [{ old_str: "The boat", new_str: "x" }] },
  }), { code: "validation_error" })
  await assert.rejects(client.pages.create({
    parent, properties: { Name: { title: text("x".repeat(2001)) } },
  }), /length should be ≤ `2000`, instead was `2001`/)
  const later = await client.pages.create({ parent, properties, markdown: "Later.", allow_async: true })
  let task = later
  while (task.status !== "succeeded") task = await client.asyncTasks.retrieve({ task_id: later.id })
  await client.pages.update({ page_id: task.result.id, in_trash: true })
  const trashed = await client.pages.update({ page_id: made.id, in_trash: true })
  assert.ok(trashed.in_trash)
  await client.pages.update({ page_id: made.id, in_trash: false })
  return made.id
}

async function query(id) {
  const filter = { property: "keel_id", rich_text: { equals: "01K" } }
  const found = await client.dataSources.query({ data_source_id: dataSource, filter })
  assert.deepEqual(found.results.map((row) => row.id), [id])
  assert.equal(found.request_status.type, "complete")
  const parent = { type: "data_source_id", data_source_id: dataSource }
  for (let at = 0; at < 5; at++)
    await client.pages.create({ parent, properties: { Name: { title: text("Row " + at) } } })
  const all = await sdk.collectAllDataSourceRows(client, { data_source_id: dataSource, page_size: 2 })
  assert.equal(new Set(all.map((row) => row.id)).size, 6)
  const since = new Date(Date.now() - 120000).toISOString()
  const recent = await sdk.collectPaginatedAPI(client.dataSources.query, {
    data_source_id: dataSource, page_size: 4,
    filter: { timestamp: "last_edited_time", last_edited_time: { on_or_after: since } },
    sorts: [{ timestamp: "last_edited_time", direction: "ascending" }],
  })
  assert.equal(recent.length, 6)
  await assert.rejects(client.dataSources.query({ data_source_id: dataSource, page_size: 101 }),
    /page_size should be ≤ `100`, instead was `101`/)
  const hit = await client.search({ query: "boat", filter: { property: "object", value: "page" } })
  assert.ok(hit.results.some((one) => one.id === id))
}

async function blocks(id) {
  const paragraph = (content) => ({ type: "paragraph", paragraph: { rich_text: text(content) } })
  const added = await client.blocks.children.append({ block_id: id, children: [paragraph("one"), paragraph("three")] })
  assert.ok(added.results.every(sdk.isFullBlock) && added.results.length === 2)
  const first = added.results[0].id
  const place = version < "2026" ? { after: first } : { position: { type: "after_block", after_block: { id: first } } }
  await client.blocks.children.append({ block_id: id, children: [paragraph("two")], ...place })
  const all = await sdk.collectPaginatedAPI(client.blocks.children.list, { block_id: id, page_size: 2 })
  assert.deepEqual(all.slice(-3).map((one) => one.paragraph.rich_text[0].plain_text), ["one", "two", "three"])
  await client.blocks.update({ block_id: first, paragraph: { rich_text: text("uno") } })
  await client.blocks.delete({ block_id: first })
  const many = Array.from({ length: 133 }, () => paragraph("x"))
  await assert.rejects(client.blocks.children.append({ block_id: id, children: many }),
    /body failed validation: body.children.length should be ≤ `100`, instead was `133`\./)
}

async function errors() {
  const missing = "00000000-0000-4000-8000-000000000000"
  await assert.rejects(client.pages.retrieve({ page_id: missing }), (error) =>
    sdk.APIErrorCode.ObjectNotFound === error.code && error.status === 404 && error.request_id.length > 30)
  await assert.rejects(new sdk.Client({ auth: "wrong", baseUrl: base, logLevel: "error" }).users.me({}),
    { code: "unauthorized" })
}

async function main() {
  await people()
  await containers()
  const id = await rows()
  await query(id)
  await blocks(id)
  await errors()
  console.log("ok " + version)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
