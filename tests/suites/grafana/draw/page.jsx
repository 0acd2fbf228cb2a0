// A dashboard on a page, as Grafana lays it out: window.draw(dashboard, answers, range, variables) draws it.
import { createTheme, dateTime, LoadingState, ThemeContext } from '@grafana/data';
import { GlobalStyles, PanelChrome, PortalContainer } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { MemoryRouter } from 'react-router-dom';
import { framesOf } from './frames.js';
import { prepared } from './fields.js';
import { KINDS } from './panels.jsx';

const CELL = 30, GAP = 8, COLUMNS = 24, TOP = 84;

function place({ x, y, w, h }, width) {
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
  const Kind = KINDS[panel.type];
  return (
    <section style={{ position: 'absolute', ...box }} data-panel={panel.title} data-type={panel.type}>
      <PanelChrome title={panel.title} description={panel.description} width={box.width} height={box.height} loadingState={LoadingState.Done}>
        {(width, height) => <Kind {...{ panel, data, width, height, range }} />}
      </PanelChrome>
    </section>
  );
}

function Head({ dashboard, variables }) {
  const shown = dashboard.templating.list.map(({ name, label }) => [label, variables[name]]);
  return (
    <header>
      <h1>{dashboard.title}</h1>
      <p>
        {shown.map(([label, value]) => <span key={label}><b>{label}</b> {value === '.*' ? 'All' : value}</span>)}
        {dashboard.links.map(({ title }) => <i key={title}>{title}</i>)}
      </p>
    </header>
  );
}

window.draw = async (dashboard, answers, [from, to], variables) => {
  const theme = createTheme({ colors: { mode: 'dark' } });
  const width = document.documentElement.clientWidth;
  const range = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: 'now-24h', to: 'now' } };
  const panels = await Promise.all(
    dashboard.panels.map(async (panel) => {
      const data = panel.type === 'row' ? [] : await prepared(panel, framesOf(panel, answers), theme, variables);
      return { panel, data, range, box: place(panel.gridPos, width) };
    })
  );
  document.body.style.height = `${Math.max(...panels.map(({ box }) => box.top + box.height)) + GAP}px`;
  createRoot(document.getElementById('root')).render(
    <MemoryRouter>
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        <Head {...{ dashboard, variables }} />
        {panels.map((one) => <Panel key={one.panel.id} {...one} />)}
        <PortalContainer />
      </ThemeContext.Provider>
    </MemoryRouter>
  );
  window.expected = panels.filter(({ panel }) => panel.type !== 'row').length;
};

window.facts = () =>
  Object.fromEntries(
    [...document.querySelectorAll('[data-panel]')].map((section, index) => [
      `${index} ${section.dataset.panel}`,
      {
        title: section.dataset.panel,
        kind: section.dataset.type,
        text: section.innerText,
        links: [...section.querySelectorAll('a')].map((a) => a.getAttribute('href')),
        cells: section.querySelectorAll('[role=gridcell]').length,
        strips: section.querySelectorAll('svg[data-strips] rect').length,
        painted: [...section.querySelectorAll('canvas')].reduce((sum, canvas) => sum + painted(canvas), 0),
      },
    ])
  );

function painted(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, index) => sum + (index % 4 === 3 && value > 0 ? 1 : 0), 0);
}
