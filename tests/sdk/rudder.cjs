// identify + track + alias with RudderStack's SDK for Node (gzip by default); twice with the same ids.
const RudderAnalytics = require("@rudderstack/rudder-sdk-node");

const [url, key] = process.argv.slice(2);
const done = (call) => new Promise((resolve, reject) => {
  call((error) => (error ? reject(error) : resolve()));
});

async function main() {
  const Client = RudderAnalytics.default || RudderAnalytics;
  for (let round = 0; round < 2; round += 1) {
    const client = new Client(key, { dataPlaneUrl: url, flushInterval: 200, logLevel: "error" });
    const common = { anonymousId: "anon-rn" };
    await done((cb) => client.identify({ ...common, userId: "u-rn", traits: { email: "rn@mail.example" }, messageId: "rn-1" }, cb));
    await done((cb) => client.track({ ...common, userId: "u-rn", event: "Product Viewed", properties: { sku: "T1", price: 3 }, messageId: "rn-2" }, cb));
    await done((cb) => client.alias({ previousId: "old-rn", userId: "u-rn", messageId: "rn-3" }, cb));
    await new Promise((resolve) => { client.flush(() => resolve()); });
  }
  process.exit(process.exitCode || 0);
}

main().catch((error) => { console.error(error); process.exit(1); });
