// The steps between a query's data frames and a panel: transformations, then the field configuration with its overrides.
import { applyFieldOverrides, cacheFieldDisplayNames, getFieldDisplayValuesProxy, standardTransformers, standardTransformersRegistry, transformDataFrame } from '@grafana/data';
import { lastValueFrom } from 'rxjs';

const STANDARD_FIELDS = ['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'color', 'mappings', 'thresholds', 'links', 'description'];

standardTransformersRegistry.setInit(() =>
  [...new Set(Object.values(standardTransformers))].map((transformer) => ({
    id: transformer.id,
    name: transformer.name,
    transformation: () => Promise.resolve(transformer),
  }))
);

export async function applyFieldConfig(panel, frames, theme, variables) {
  const context = { interpolate: (text) => text };
  const data = await lastValueFrom(transformDataFrame(panel.transformations ?? [], frames, context));
  const fields = applyFieldOverrides({
    data,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registry(panel),
    replaceVariables: (text, scoped) => interpolate(text, scoped, variables),
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames(fields);
  return fields;
}

// Grafana registers each option with an editor. Rendering needs only its path.
function registry(panel) {
  const item = (id) => ({
    id,
    path: id.replace(/^custom\./, ''),
    isCustom: id.startsWith('custom.'),
    process: (value) => value,
    shouldApply: () => true,
    settings: {},
  });
  const custom = Object.keys(panel.fieldConfig.defaults.custom ?? {}).map((name) => `custom.${name}`);
  return { getIfExists: item, list: () => [...STANDARD_FIELDS, ...custom].map(item) };
}

function interpolate(text, scoped, variables) {
  const cell = scoped?.__dataContext?.value;
  const row = cell && getFieldDisplayValuesProxy({ frame: cell.frame, rowIndex: cell.rowIndex });
  return text
    .replace(/\$\{__data\.fields\.(\w+)\}/g, (_, name) => encodeURI(`${row[name]}`))
    .replace(/\$\{__value\.raw\}/g, () => encodeURI(cell.field.values[cell.rowIndex]))
    .replace(/\$\{(\w+):queryparam\}/g, (_, name) => `var-${name}=${encodeURIComponent(variables[name])}`)
    .replace(/\$\{__url_time_range\}/g, 'from=now-24h&to=now')
    .replace(/\$\{(\w+)(?::\w+)?\}/g, (whole, name) => variables[name] ?? whole);
}
