// A page with the layout of a Grafana dashboard. window.renderDashboard renders it, window.describePanels returns its content.
import { createTheme, dateTime, LoadingState, ThemeContext } from '@grafana/data';
import { GlobalStyles, PanelChrome, PortalContainer } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { MemoryRouter } from 'react-router-dom';
import { toFrames } from './frames.js';
import { applyFieldConfig } from './fields.js';
import { PANEL_TYPES } from './panels.jsx';

const CELL = 30, GAP = 8, COLUMNS = 24, TOP = 84;

function position({ x, y, w, h }, width) {
  const column = (width - GAP * (COLUMNS + 1)) / COLUMNS;
  return {
    left: GAP + x * (column + GAP),
    top: TOP + y * (CELL + GAP),
    width: w * (column + GAP) - GAP,
    height: h * (CELL + GAP) - GAP,
  };
}

function Panel({ panel, data, box, range }) {
  if (panel.type === 'row') {
    return <h2 style={{ position: 'absolute', ...box }}>{panel.title}</h2>;
  }
  const PanelType = PANEL_TYPES[panel.type];
  return (
    <section style={{ position: 'absolute', ...box }} data-panel={panel.title} data-type={panel.type}>
      <PanelChrome title={panel.title} description={panel.description} width={box.width} height={box.height} loadingState={LoadingState.Done}>
        {(width, height) => <PanelType {...{ panel, data, width, height, range }} />}
      </PanelChrome>
    </section>
  );
}

function Header({ dashboard, variables }) {
  const values = dashboard.templating.list.map(({ name, label }) => [label, variables[name]]);
  return (
    <header>
      <h1>{dashboard.title}</h1>
      <p>
        {values.map(([label, value]) => <span key={label}><b>{label}</b> {value === '.*' ? 'All' : value}</span>)}
        {dashboard.links.map(({ title }) => <i key={title}>{title}</i>)}
      </p>
    </header>
  );
}

window.renderDashboard = async (dashboard, results, [from, to], variables) => {
  const theme = createTheme({ colors: { mode: 'dark' } });
  const width = document.documentElement.clientWidth;
  const range = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: 'now-24h', to: 'now' } };
  const panels = await Promise.all(
    dashboard.panels.map(async (panel) => {
      const data = panel.type === 'row' ? [] : await applyFieldConfig(panel, toFrames(panel, results), theme, variables);
      return { panel, data, range, box: position(panel.gridPos, width) };
    })
  );
  document.body.style.height = `${Math.max(...panels.map(({ box }) => box.top + box.height)) + GAP}px`;
  createRoot(document.getElementById('root')).render(
    <MemoryRouter>
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        <Header {...{ dashboard, variables }} />
        {panels.map((props) => <Panel key={props.panel.id} {...props} />)}
        <PortalContainer />
      </ThemeContext.Provider>
    </MemoryRouter>
  );
  window.expectedPanels = panels.filter(({ panel }) => panel.type !== 'row').length;
};

window.describePanels = () =>
  Object.fromEntries(
    [...document.querySelectorAll('[data-panel]')].map((section, index) => [
      `${index} ${section.dataset.panel}`,
      {
        title: section.dataset.panel,
        type: section.dataset.type,
        text: section.innerText,
        links: [...section.querySelectorAll('a')].map((a) => a.getAttribute('href')),
        cells: section.querySelectorAll('[role=gridcell]').length,
        regions: section.querySelectorAll('svg[data-regions] rect').length,
        paintedPixels: [...section.querySelectorAll('canvas')].reduce((sum, canvas) => sum + paintedPixels(canvas), 0),
      },
    ])
  );

function paintedPixels(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, index) => sum + (index % 4 === 3 && value > 0 ? 1 : 0), 0);
}
