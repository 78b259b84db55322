#!/usr/bin/env bash
# orderbooks 1.1.14 (npm): a book above its maxDepth keeps its farthest bid, and loses one from the middle in its place.
#
# Expected: maxDepth keeps the levels nearest to the middle of the market on both sides, as it does for asks.
# Seen: of four bids and four asks with maxDepth 4, the asks are the best two, the bids the best and the worst one: 100 and 97.
# The second-best bid is gone for good, so when 100 is taken out the best bid is 97, and the size within a distance of the market
# is wrong at every moment. At the default of 250, a snapshot of 200 levels a side has the 200th bid as its 125th. And a level
# given as inserted at a price that is there stands twice; deleting it takes one away, so it stays for ever.
#
# Needs Node.js.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" orderbooks@1.1.14
cd "$work"
cat > read.js <<'EOF'
const assert = require('node:assert')
const { OrderBook, OrderBookLevel } = require('orderbooks')
console.log('orderbooks', require('orderbooks/package.json').version)

const bid = (price) => OrderBookLevel('BTCUSDT', price, 'Buy', 1)
const ask = (price) => OrderBookLevel('BTCUSDT', price, 'Sell', 1)

/** Give the prices of one side, the best one first. */
function prices(book, side) {
  const found = book.getBookState().filter((level) => level[2] === side).map((level) => level[1])
  return side === 'Buy' ? found : found.reverse()
}

function levels(count) {
  return Array.from({ length: count }, (_, index) => [bid(1000 - index), ask(1001 + index)]).flat()
}

const small = new OrderBook('BTCUSDT', { maxDepth: 4 }).handleSnapshot(levels(4))
const kept = [prices(small, 'Buy'), prices(small, 'Sell')]
small.handleDelta([bid(1000)])
console.log('maxDepth 4, of bids 1000 to 997 and asks 1001 to 1004:', ...kept, 'best bid when 1000 is gone:', small.getBestBid())
assert.deepStrictEqual(kept, [[1000, 997], [1001, 1002]])
assert.strictEqual(small.getBestBid(), 997)

const usual = new OrderBook('BTCUSDT').handleSnapshot(levels(200))
console.log('maxDepth 250, of 200 levels a side, the last two:', prices(usual, 'Buy').slice(-2), prices(usual, 'Sell').slice(-2))
assert.deepStrictEqual(prices(usual, 'Buy').slice(-2), [877, 801])
assert.deepStrictEqual(prices(usual, 'Sell').slice(-2), [1124, 1125])

const twice = new OrderBook('BTCUSDT').handleSnapshot(levels(2)).handleDelta([], [], [bid(1000)])
const inserted = prices(twice, 'Buy')
twice.handleDelta([bid(1000)])
console.log('bids after 1000 was inserted again:', inserted, 'and deleted:', prices(twice, 'Buy'))
assert.deepStrictEqual([inserted, prices(twice, 'Buy')], [[1000, 1000, 999], [1000, 999]])
EOF
node read.js
