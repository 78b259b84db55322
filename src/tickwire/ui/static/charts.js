import { createChart, createOptionsChart, AreaSeries, LineSeries, LineType, ColorType } from "./vendor/lightweight-charts-5.2.1.mjs";
import { colour, whenColoursChange } from "./dom.js";

const POINTS = 160;
const SCALE = 1e24;

const look = () => ({
  layout: { background: { type: ColorType.Solid, color: "transparent" }, textColor: colour("dim"), fontSize: 10, attributionLogo: false },
  grid: { vertLines: { visible: false }, horzLines: { color: colour("line") } },
});

const base = () => ({
  ...look(),
  autoSize: true,
  handleScale: false,
  handleScroll: false,
  rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0.02 } },
  timeScale: { borderVisible: false, timeVisible: true, secondsVisible: true, fixLeftEdge: true, fixRightEdge: true },
});

// Lines over time; names are those of colours.
export function lines(node, names) {
  const chart = createChart(node, base());
  const series = names.map((name) => chart.addSeries(LineSeries, options(name)));
  whenColoursChange(() => {
    chart.applyOptions(look());
    series.forEach((one, index) => one.applyOptions(options(names[index])));
  });
  return {
    set(points) { series.forEach((one, index) => one.setData(points.map(([time, ...values]) => point(time, values[index])))); chart.timeScale().fitContent(); },
    add([time, ...values]) { series.forEach((one, index) => one.update(point(time, values[index]))); chart.timeScale().fitContent(); },
  };
}

const options = (name) => ({
  color: colour(name), lineWidth: 1.5, lastValueVisible: true, priceLineVisible: false,
  priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => (value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Math.round(value * 100) / 100)) },
  autoscaleInfoProvider: (original) => {
    const info = original();
    return info && { ...info, priceRange: { minValue: 0, maxValue: Math.max(1, info.priceRange?.maxValue ?? 1) } };
  },
});

const point = (time, value) => (value === null || value === undefined ? { time } : { time, value });

// What there is to buy and to sell up to each price. The axis counts points, so these are evenly spaced.
export function depthChart(node) {
  const chart = createOptionsChart(node, { ...base(), localization: { precision: 2 } });
  chart.applyOptions({ timeScale: { tickMarkMaxCharacterLength: 10, fixLeftEdge: false, fixRightEdge: false } });
  const made = ["up", "down"].map((name) => chart.addSeries(AreaSeries, side(name)));
  whenColoursChange(() => {
    chart.applyOptions(look());
    made.forEach((one, index) => one.applyOptions(side(["up", "down"][index])));
  });
  return {
    show(bids, asks) {
      if (!bids.length || !asks.length) return made.forEach((one) => one.setData([]));
      const best = [Number(bids[0][0]), Number(asks[0][0])];
      const middle = (best[0] + best[1]) / 2;
      const reach = Math.min(middle - Number(bids.at(-1)[0]), Number(asks.at(-1)[0]) - middle) || middle / 1000;
      const step = (2 * reach) / POINTS;
      chart.applyOptions({ localization: { precision: Math.max(0, Math.min(10, Math.ceil(-Math.log10(step)))) } });
      const data = [[], []];
      for (let index = 0; index <= POINTS; index += 1) {
        const price = middle - reach + index * step;
        data[0].push(price <= best[0] ? { time: price, value: upTo(bids, (at) => at >= price) } : { time: price });
        data[1].push(price >= best[1] ? { time: price, value: upTo(asks, (at) => at <= price) } : { time: price });
      }
      made.forEach((one, index) => one.setData(data[index]));
      chart.timeScale().fitContent();
    },
  };
}

const side = (name) => ({
  lineColor: colour(name), topColor: colour(`${name}-soft`), bottomColor: colour(`${name}-soft`), lineWidth: 1.5, lineType: LineType.WithSteps,
  lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false,
  priceFormat: { type: "custom", minMove: 0.000001, formatter: (value) => Number(value.toPrecision(4)).toLocaleString("en-US", { maximumFractionDigits: 6 }) },
});

function upTo(levels, within) {
  let low = 0, high = levels.length; // the first level that is not within
  while (low < high) {
    const middle = (low + high) >> 1;
    if (within(Number(levels[middle][0]))) low = middle + 1;
    else high = middle;
  }
  return low ? Number(levels[low - 1][2]) / SCALE : 0;
}
