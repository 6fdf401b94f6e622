// Sends COUNT notifications with @parse/node-apn, LIMIT at once, and prints how
// many went: node-apn.js PORT KEY-FILE TOPIC COUNT LIMIT
'use strict';
const apn = require('@parse/node-apn');

const [port, key, topic, count, limit] = process.argv.slice(2);
const provider = new apn.Provider({
  token: { key, keyId: 'MOCKKEY001', teamId: 'MOCKTEAM01' },
  address: 'localhost', port: Number(port), production: true,
  clientCount: 4, requestTimeout: 30000,
});
let next = 0;
let sent = 0;

async function sender() {
  while (next < Number(count)) {
    const n = next++;
    const note = new apn.Notification();
    note.alert = { title: `order ${n}`, body: 'your parcel is on its way' };
    note.topic = topic;
    note.pushType = 'alert';
    note.payload = { url: 'https://shop.example.com/orders/1' };
    const result = await provider.send(note, n.toString(16).padStart(64, '0'));
    sent += result.sent.length;
  }
}

Promise.all(Array.from({ length: Number(limit) }, sender)).then(() => {
  console.log(sent);
  process.exit(0);
});
