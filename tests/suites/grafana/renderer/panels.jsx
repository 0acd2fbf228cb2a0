// A component for each panel type, which wraps the component that Grafana renders it with.
import { getFieldDisplayValues, getFieldDisplayName, VizOrientation } from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater, useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

export const PANEL_TYPES = {
  stat: StatPanel,
  bargauge: BarGaugePanel,
  timeseries: TimeSeriesPanel,
  table: TablePanel,
  'state-timeline': StateTimelinePanel,
};

function displayValues(panel, data, theme) {
  const { reduceOptions } = panel.options;
  return getFieldDisplayValues({ fieldConfig: panel.fieldConfig, reduceOptions, replaceVariables: (text) => text, theme, data, timeZone: 'utc' });
}

function StatPanel({ panel, data, width, height }) {
  const theme = useTheme2();
  const { colorMode, graphMode, justifyMode, textMode } = panel.options;
  const [{ display }] = displayValues(panel, data, theme);
  return <BigValue {...{ width, height, theme, colorMode, graphMode, justifyMode, textMode }} value={display} />;
}

function BarGaugePanel({ panel, data, width, height }) {
  const theme = useTheme2();
  const { displayMode, valueMode, namePlacement, showUnfilled, minVizWidth, minVizHeight, maxVizHeight, text } = panel.options;
  const renderBar = ({ value, width, height, orientation }) => (
    <BarGauge
      {...{ width, height, orientation, theme, displayMode, namePlacement, showUnfilled, text }}
      valueDisplayMode={valueMode}
      field={value.field}
      value={value.display}
      display={value.view?.getFieldDisplayProcessor(value.colIndex)}
    />
  );
  return (
    <VizRepeater
      {...{ width, height, minVizWidth, minVizHeight, maxVizHeight }}
      source={data}
      renderCounter={0}
      orientation={VizOrientation.Horizontal}
      getValues={() => displayValues(panel, data, theme)}
      renderValue={renderBar}
    />
  );
}

function TimeSeriesPanel({ panel, data, width, height, range }) {
  if (data.length === 0) {
    return <NoData panel={panel} />;
  }
  return <TimeSeries frames={data} timeRange={range} timeZone="utc" legend={panel.options.legend} {...{ width, height }} />;
}

function TablePanel({ panel, data, width, height }) {
  if (!data[0]?.length) {
    return <NoData panel={panel} />;
  }
  return <TableNG data={data[0]} fieldConfig={panel.fieldConfig} cellHeight={panel.options.cellHeight} {...{ width, height }} />;
}

// Grafana does not publish its state timeline component. This one has the same colors and texts.
function StateTimelinePanel({ data, width, height, range }) {
  const theme = useTheme2();
  const left = 230, axis = 22, row = (height - axis) / Math.max(data.length, 1);
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const x = (time) => left + ((time - from) / (to - from)) * (width - left);
  const legend = new Map();
  const regions = data.flatMap((frame, index) => {
    const [time, value] = frame.fields;
    return time.values.map((start, point) => {
      const { text, color } = value.display(value.values[point]);
      legend.set(text, color);
      const end = Math.min(start + time.config.interval + 500, to);
      return <rect key={`${index}/${point}`} x={x(start)} y={index * row + 2} width={Math.max(0, x(end) - x(start))} height={row - 4} fill={color} opacity={0.85} />;
    });
  });
  const ink = { fill: theme.colors.text.primary, fontSize: 12 };
  return (
    <svg width={width} height={height} data-regions={data.length}>
      {data.map((frame, index) => (
        <text key={index} x={left - 8} y={(index + 0.5) * row + 4} textAnchor="end" {...ink}>
          {getFieldDisplayName(frame.fields[1], frame)}
        </text>
      ))}
      {regions}
      {[...legend].map(([text, color], index) => (
        <g key={text} transform={`translate(${left + index * 150}, ${height - 14})`}>
          <rect width={14} height={4} y={4} fill={color} />
          <text x={20} y={10} {...ink}>{text}</text>
        </g>
      ))}
    </svg>
  );
}

function NoData({ panel }) {
  return <div className="no-data">{panel.fieldConfig.defaults.noValue}</div>;
}
