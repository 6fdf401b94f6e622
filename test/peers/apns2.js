// Sends with apns2, all its defaults on, to Apple's own name, and prints what it
// makes of each answer: apns2.js KEY-FILE TOPIC TOKEN...
'use strict';
const fs = require('fs');
const { ApnsClient, Notification, SilentNotification, Errors } = require('apns2');

async function main() {
  const [key, topic, ...tokens] = process.argv.slice(2);
  const client = new ApnsClient({
    team: 'MOCKTEAM01', keyId: 'MOCKKEY001', signingKey: fs.readFileSync(key, 'utf8'),
    defaultTopic: topic,
  });
  const word = (reason) => Object.keys(Errors).find((name) => Errors[name] === reason) || reason;
  for (const token of tokens) {
    const said = { token };
    try {
      await client.send(new Notification(token, { alert: { title: 'order', body: 'on its way' } }));
      said.sent = true;
    } catch (e) {
      said.status = e.statusCode;
      said.error = e.reason ? word(e.reason) : `${e}`;
    }
    console.log(JSON.stringify(said));
  }
  // One after the other above; now many at once, on the connections that are open.
  const many = Array.from({ length: 200 }, (_, n) => (n % 2 === 0
    ? new Notification(n.toString(16).padStart(64, '0'), { alert: 'order' })
    : new SilentNotification(n.toString(16).padStart(64, '0'))));
  await client.sendMany(many);
  console.log(JSON.stringify({ many: many.length }));
  process.exit(0);
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
