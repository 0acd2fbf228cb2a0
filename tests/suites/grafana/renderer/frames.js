// Prometheus responses as data frames, as Grafana's Prometheus data source converts them.
import { FieldType, toDataFrame } from '@grafana/data';

export function toFrames(panel, results) {
  return panel.targets.flatMap((target) => {
    const series = results[`${panel.id}/${target.refId}`] ?? [];
    return target.format === 'table' ? tableFrames(target, series, panel.targets.length > 1) : series.map((one) => timeSeriesFrame(target, one));
  });
}

function timeSeriesFrame(target, { metric, values, value, step }) {
  const points = values ?? [value];
  return toDataFrame({
    refId: target.refId,
    name: seriesName(target, metric),
    fields: [
      { name: 'Time', type: FieldType.time, values: points.map(([time]) => time * 1000), config: step ? { interval: step * 1000 } : {} },
      {
        name: 'Value',
        type: FieldType.number,
        labels: metric,
        values: points.map(([, text]) => Number(text)),
        config: { displayNameFromDS: seriesName(target, metric) },
      },
    ],
  });
}

function seriesName(target, metric) {
  const labels = Object.entries(metric).map(([name, value]) => `${name}="${value}"`);
  return target.legendFormat === '__auto'
    ? labels.join(', ') || target.refId
    : target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => metric[name] ?? '');
}

function tableFrames(target, series, hasSeveralQueries) {
  if (series.length === 0) {
    return [];
  }
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return [
    toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: series.map(({ value }) => value[0] * 1000) },
        ...labels.map((name) => ({ name, type: FieldType.string, values: series.map(({ metric }) => metric[name] ?? '') })),
        {
          name: hasSeveralQueries ? `Value #${target.refId}` : 'Value',
          type: FieldType.number,
          values: series.map(({ value }) => Number(value[1])),
        },
      ],
    }),
  ];
}
