// identify + track + alias with Segment's SDK for Node; twice with the same ids.
const { Analytics } = require("@segment/analytics-node");

const [url, key] = process.argv.slice(2);

async function main() {
  for (let round = 0; round < 2; round += 1) {
    const analytics = new Analytics({ writeKey: key, host: url, maxRetries: 8, flushInterval: 200 });
    analytics.on("error", (error) => { console.error(error); process.exitCode = 1; });
    const common = { anonymousId: "anon-sn" };
    analytics.identify({ ...common, userId: "u-sn", traits: { email: "sn@mail.example" }, messageId: "sn-1" });
    analytics.track({ ...common, userId: "u-sn", event: "Product Viewed", properties: { sku: "T1", price: 3 }, messageId: "sn-2" });
    analytics.alias({ previousId: "old-sn", userId: "u-sn", messageId: "sn-3" });
    await analytics.closeAndFlush();
  }
}

main();
