// Sends COUNT notifications with apns2, LIMIT at once, and prints how many went:
// apns2.js PORT KEY-FILE TOPIC COUNT LIMIT
'use strict';
const fs = require('fs');

const [port, key, topic, count, limit] = process.argv.slice(2);
let next = 0;
let sent = 0;

async function main() {
  const { ApnsClient, Notification } = require('apns2');
  const { Pool } = require('undici');
  const client = new ApnsClient({
    team: 'MOCKTEAM01', keyId: 'MOCKKEY001', signingKey: fs.readFileSync(key, 'utf8'),
    defaultTopic: topic, host: 'localhost', requestTimeout: 30000, keepAlive: true,
  });
  // Its port is fixed; these are its own settings with another one.
  client.client = new Pool(`https://localhost:${port}`,
    { connections: 32, pipelining: 1, allowH2: true, maxConcurrentStreams: 100 });
  async function sender() {
    while (next < Number(count)) {
      const n = next++;
      await client.send(new Notification(n.toString(16).padStart(64, '0'), {
        alert: { title: `order ${n}`, body: 'your parcel is on its way' },
        data: { url: 'https://shop.example.com/orders/1' },
      }));
      sent++;
    }
  }
  await Promise.all(Array.from({ length: Number(limit) }, sender));
  console.log(sent);
  process.exit(0);
}

main().catch((e) => {
  console.error(e.message || e);
  process.exit(1);
});
