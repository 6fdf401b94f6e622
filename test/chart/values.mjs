// Holds a chart's values and its templates against one another: node values.mjs CHART
import fs from "node:fs";
import { parse } from "yaml";

const chart = process.argv[2];
const read = (file) => fs.readFileSync(`${chart}/${file}`, "utf8");
const values = parse(read("values.yaml"));
const schema = JSON.parse(read("values.schema.json"));
let templates = fs.readdirSync(`${chart}/templates`).map((f) => read(`templates/${f}`)).join("\n");
// What a template calls by a shorter name.
for (const [, name, path] of templates.matchAll(/(\$\w+) := \.Values\.(\w+)/g)) {
  templates = templates.replaceAll(`${name}.`, `.Values.${path}.`);
}
const used = new Set([...templates.matchAll(/\.Values\.([\w.]+)/g)].map(([, path]) => path.replace(/\.$/, "")));

let complaints = 0;
const complain = (text) => (console.log(text), complaints++);

// A whole object that is passed on uses everything in it.
const isUsed = (path) => path.split(".").some((_, i, all) => used.has(all.slice(0, i + 1).join(".")));
function leaves(value, path) {
  if (value === null || typeof value !== "object" || Array.isArray(value) || !Object.keys(value).length) return [path];
  return Object.entries(value).flatMap(([k, v]) => leaves(v, path ? `${path}.${k}` : k));
}
const given = leaves(values, "");
for (const path of given) if (!isUsed(path)) complain(`values.yaml: no template uses ${path}`);

function known(path) {
  let node = schema;
  for (const word of path.split(".")) {
    if (node.$ref) node = schema.definitions[node.$ref.split("/").at(-1)];
    if (!node.properties) return node.type === "object";
    if (!(word in node.properties)) return node.additionalProperties !== false;
    node = node.properties[word];
  }
  return true;
}
for (const path of used) if (!known(path)) complain(`templates: no ${path} in the schema`);
for (const path of given) if (!known(path)) complain(`values.yaml: no ${path} in the schema`);
for (const name of Object.keys(schema.properties)) {
  if (name !== "global" && !(name in values)) complain(`values.schema.json: ${name} is not in values.yaml`);
}
process.exit(complaints || !given.length || !used.size ? 1 : 0);
