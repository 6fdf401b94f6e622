// Sends with firebase-admin, all its defaults on, to Google's own names, and prints
// what it makes of each answer: firebase-admin.js SERVICE-ACCOUNT TOKEN...
'use strict';
const http2 = require('http2');

// sendEach() of 13.10 sends ":scheme: https:", with the colon, which RFC 9113 section
// 8.3.1 does not allow and nghttp2 refuses; Google bears it.  All else is its own.
const { connect } = http2;
http2.connect = (...to) => {
  const session = connect(...to);
  const { request } = session;
  session.request = (fields, ...rest) => request.call(session,
    { ...fields, ':scheme': fields[':scheme'].replace(/:$/, '') }, ...rest);
  return session;
};

const { initializeApp, cert } = require('firebase-admin/app');
const { getMessaging } = require('firebase-admin/messaging');

function show(said) {
  console.log(JSON.stringify(said));
}

async function send(messaging, message, dryRun) {
  const name = message.token || message.topic || message.condition;
  try {
    show({ name, sent: await messaging.send(message, dryRun) });
  } catch (e) {
    show({ name, error: e.code || `${e}` });
  }
}

async function main() {
  const [account, ...tokens] = process.argv.slice(2);
  initializeApp({ credential: cert(account) });
  const messaging = getMessaging();
  const notification = { title: 'order', body: 'on its way' };
  for (const token of tokens) {
    await send(messaging, { token, notification });
  }
  await send(messaging, { topic: 'news', notification, data: { n: '1' },
    android: { priority: 'high', ttl: 60000, notification: { tag: 'n' } },
    apns: { headers: { 'apns-priority': '5' }, payload: { aps: { badge: 1 } } },
    webpush: { headers: { TTL: '60' }, notification: { title: 'order' } } });
  await send(messaging, { condition: "'news' in topics && 'sport' in topics", notification });
  await send(messaging, { token: 'for-nobody', notification }, true);
  const each = await messaging.sendEach(Array.from({ length: 50 }, (_, n) => (
    { token: n === 7 ? 'unregistered-7' : `each-${n}`, notification })));
  show({ each: each.successCount, failed: each.responses.filter((r) => !r.success)
    .map((r) => r.error.code) });
  process.exit(0);
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
