// Judges rendered manifests: node manifests.mjs OUT.ts NAME=RENDERED.yaml...
//
// Every document must be of a kind that is known here and pass its validator, and what the
// documents say of one another must be true.  Writes OUT.ts, which tsc then compiles: that finds
// members that do not exist, which the validators let pass.  Leaves the push.conf of each in NAME.conf.
import fs from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { parseAllDocuments, parse } from "yaml";

const [out, ...inputs] = process.argv.slice(2);
const modules = {
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
  "keda.sh": "@kubernetes-models/keda",
};
let complaints = 0;
let types = "";
let count = 0;

function complain(where, text) {
  console.log(`${where}: ${text}`);
  complaints++;
}

function moduleOf({ apiVersion, kind }) {
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  return `${modules[group] ?? "kubernetes-models"}/${apiVersion.replace(/\.k8s\.io\//, ".k8s.io/")}/${kind}`;
}

const one = (docs, kind) => docs.find((d) => d.kind === kind);
const same = isDeepStrictEqual;
const covers = (labels, selector) => Object.entries(selector).every(([k, v]) => labels[k] === v);

function judgeTogether(name, docs) {
  const deployment = one(docs, "Deployment");
  const pod = deployment.spec.template;
  const container = pod.spec.containers[0];
  const conf = JSON.parse(one(docs, "ConfigMap").data["push.conf"]);
  fs.writeFileSync(`${name}.conf`, one(docs, "ConfigMap").data["push.conf"]);
  const need = (truth, text) => truth || complain(name, text);

  need(pod.spec.terminationGracePeriodSeconds > parseInt(conf.run.drain) + 5, "the grace period is not longer than the drain");
  need(covers(pod.metadata.labels, deployment.spec.selector.matchLabels), "the Deployment does not select its pods");
  for (const kind of ["Service", "PodDisruptionBudget", "NetworkPolicy"]) {
    const d = one(docs, kind);
    if (d) {
      const selector = kind === "NetworkPolicy" ? d.spec.podSelector : d.spec.selector;
      need(covers(pod.metadata.labels, selector.matchLabels ?? selector), `the ${kind} does not select the pods`);
    }
  }
  const port = container.ports.find((p) => p.name === "metrics");
  need(conf.stats.listen.endsWith(`:${port.containerPort}`), "push-stats listens elsewhere than the container's port");
  need(container.command[0] === "push-run", "it is not push-run that runs");
  const mounts = container.volumeMounts.map((m) => m.mountPath);
  need(mounts.some((m) => conf.counters.startsWith(`${m}/`)), "counters is on no volume");
  need(mounts.some((m) => container.command[2] === `${m}/push.conf`), "push.conf is on no volume");
  if (conf.ack?.results) need(mounts.some((m) => conf.ack.results.startsWith(`${m}/`)), "ack.results is on no volume");
  need(container.securityContext.readOnlyRootFilesystem && same(container.securityContext.capabilities, { drop: ["ALL"] }), "the container is not shut in");

  const scalers = docs.filter((d) => ["HorizontalPodAutoscaler", "ScaledObject"].includes(d.kind));
  need(scalers.length <= 1, "two scale the same pods");
  need((scalers.length === 1) === (deployment.spec.replicas === undefined), "replicas is set beside a scaler, or neither is");
  for (const s of scalers) need(s.spec.scaleTargetRef.name === deployment.metadata.name, "the scaler scales something else");
  for (const t of one(docs, "ScaledObject")?.spec.triggers ?? []) {
    need(conf.queues.includes(t.metadata.listName), `KEDA looks at ${t.metadata.listName}, which is no queue`);
    const kind = conf.redis.match(/^redis\+(\w+):/)?.[1];
    need(t.type === (kind ? `redis-${kind}` : "redis"), `KEDA takes ${conf.redis} for ${t.type}`);
    need(t.metadata[kind ? "addresses" : "address"], "KEDA has no address");
    need(kind !== "sentinel" || conf.redis.endsWith(`/${t.metadata.sentinelMaster}`), "KEDA asks for another primary");
  }

  const monitor = one(docs, "ServiceMonitor");
  if (monitor) {
    const service = one(docs, "Service");
    need(covers(service.metadata.labels, monitor.spec.selector.matchLabels), "the ServiceMonitor does not select the Service");
    need(service.spec.ports.some((p) => p.name === monitor.spec.endpoints[0].port), "the ServiceMonitor names no port of the Service");
    need(service.metadata.labels[monitor.spec.jobLabel] === "push-stats", "the job is not what the alerts call it");
  }
  const rule = one(docs, "PrometheusRule");
  if (rule) {
    const files = ["push-recording", "push-alerts"].map((f) => parse(fs.readFileSync(`${process.env.ROOT}/deploy/prometheus/${f}.yml`, "utf8")));
    need(same(rule.spec.groups, files.flatMap((f) => f.groups)), "the rules are not those of deploy/prometheus");
  }
}

for (const input of inputs) {
  const [name, file] = input.split("=");
  const docs = [];
  for (const document of parseAllDocuments(fs.readFileSync(file, "utf8"), { uniqueKeys: true })) {
    document.errors.forEach((e) => complain(name, e.message));
    const doc = document.toJS();
    if (doc === null) continue;
    const where = `${name}: ${doc.kind} ${doc.metadata?.name}`;
    try {
      const kind = await import(moduleOf(doc));
      new kind[doc.kind](doc).validate();
    } catch (e) {
      complain(where, e.message);
      continue;
    }
    types += `import type { I${doc.kind} as T${count} } from "${moduleOf(doc)}";\n// ${where}\nexport const x${count}: T${count} = ${JSON.stringify(doc, null, 1)};\n`;
    count++;
    docs.push(doc);
  }
  judgeTogether(name, docs);
}
fs.writeFileSync(out, types);
console.log(`${count} manifests of ${inputs.length} sets of values`);
process.exit(complaints || !count ? 1 : 0);
