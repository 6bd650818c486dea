// The page around the panels: breadcrumbs, variables, links, time picker,
// and the grid of 24 columns.

import { css } from '@emotion/css';
import { applyFieldOverrides, GrafanaTheme2, rangeUtil, renderMarkdown, TimeRange } from '@grafana/data';
import { Icon, IconName, InlineSwitch, PanelChrome, Text, ToolbarButton, useStyles2, useTheme2 } from '@grafana/ui';
import { Component, ReactNode, useMemo } from 'react';
import { Annotation } from './annotations';
import { fieldConfigOf, fieldRegistry } from './fields';
import { Dashboard, DashboardLink, Drawable, fail, Job, Panel, panelName } from './model';
import { optionsOf, unpadded, Visualization } from './panels';
import { linkScope, Variable, Variables } from './variables';

export const pagePadding = 16;
const rowHeight = 30;
const gap = 8;
/** Grafana's values of a variable's `hide`: 1 hides the label, 2 all of it. */
const hidden = { label: 1, variable: 2 };

export const columnSpan = (columns: number, pageWidth: number) => (columns * (pageWidth - 2 * pagePadding + gap)) / 24 - gap;
export const rowSpan = (rows: number) => rows * (rowHeight + gap) - gap;

export interface PageProps {
  job: Job;
  variables: Variables;
  panels: Drawable[];
  timeRange: TimeRange;
  annotations: Annotation[];
}

export function Page({ job, variables, panels, timeRange, annotations }: PageProps) {
  const styles = useStyles2(pageStyles);
  const bottom = Math.max(0, ...panels.map(({ panel }) => panel.gridPos.y + panel.gridPos.h));
  return (
    <div className={styles.page}>
      <header className={styles.breadcrumbs}>
        <Icon name="grafana" size="xl" />
        <span>Home</span>
        <Icon name="angle-right" />
        <span>Dashboards</span>
        <Icon name="angle-right" />
        <strong>{job.dashboard.title}</strong>
      </header>
      <Controls job={job} variables={variables} timeRange={timeRange} />
      <main className={styles.grid} style={{ height: rowSpan(bottom) }}>
        {panels.map((drawable, i) => (
          <div key={i} className={styles.cell} data-panel={panelName(drawable.panel)} style={placeOf(drawable, job.width)}>
            <Boundary panel={drawable.panel}>
              {drawable.panel.type === 'row' ? (
                <Row panel={drawable.panel} variables={variables} />
              ) : (
                <PanelFrame drawable={drawable} variables={variables} dashboard={job.dashboard} annotations={annotations} />
              )}
            </Boundary>
          </div>
        ))}
      </main>
    </div>
  );
}

const placeOf = ({ panel, width, height }: Drawable, pageWidth: number) => ({
  left: columnSpan(panel.gridPos.x, pageWidth) + gap,
  top: panel.gridPos.y * (rowHeight + gap),
  width,
  height,
});

function Controls({ job, variables, timeRange }: { job: Job; variables: Variables; timeRange: TimeRange }) {
  const styles = useStyles2(controlStyles);
  const { time, timezone, refresh } = job.dashboard;
  return (
    <div className={styles.bar}>
      <div className={styles.left}>
        {variables.all
          .filter(({ model }) => model.hide !== hidden.variable && model.type !== 'constant')
          .map((variable) => (
            <Picker key={variable.model.name} variable={variable} text={variables.text(variable)} />
          ))}
        {(job.dashboard.annotations?.list ?? [])
          .filter((annotation) => !annotation.hide && !annotation.builtIn)
          .map(({ name, enable }) => (
            <InlineSwitch key={name} label={name} showLabel value={enable} readOnly />
          ))}
        <span className={styles.grow} />
        {linksOf(job).map((link) => (
          <ToolbarButton key={link.title} variant="canvas" icon={link.icon as IconName} iconSize="sm">
            {link.title}
          </ToolbarButton>
        ))}
      </div>
      <div className={styles.right}>
        <ToolbarButton variant="canvas" icon="clock-nine" isOpen={false}>
          {time.from.startsWith('now') ? rangeUtil.describeTimeRange(timeRange.raw) : `${time.from} to ${time.to}`}
          {timezone === 'utc' && <span className={styles.zone}> UTC</span>}
        </ToolbarButton>
        <ToolbarButton variant="canvas" icon="search-minus" aria-label="Zoom out" />
        <ToolbarButton variant="canvas" icon="sync" isOpen={false}>
          {refresh || null}
        </ToolbarButton>
      </div>
    </div>
  );
}

/** Grafana's icons by the words that a dashboard link's JSON has for them. */
const linkIcons: Record<string, IconName> = {
  'external link': 'external-link-alt',
  dashboard: 'apps',
  question: 'question-circle',
  info: 'info-circle',
  bolt: 'bolt',
  doc: 'file-alt',
  cloud: 'cloud',
};

/** Links by tag name the other dashboards which carry all the tags. */
function linksOf({ dashboard, siblings }: Job): DashboardLink[] {
  return (dashboard.links ?? []).flatMap((link) => {
    if (link.type === 'link') {
      return [{ ...link, icon: linkIcons[link.icon ?? ''] ?? 'link' }];
    }
    if (link.asDropdown) {
      return [{ ...link, icon: 'bars' }];
    }
    return siblings
      .filter(({ uid, tags }) => uid !== dashboard.uid && (link.tags ?? []).every((tag) => tags.includes(tag)))
      .map(({ title }) => ({ ...link, title, icon: 'apps' }));
  });
}

function Picker({ variable: { model }, text }: { variable: Variable; text: string[] }) {
  const styles = useStyles2(controlStyles);
  return (
    <div className={styles.picker}>
      {model.hide !== hidden.label && <label className={styles.label}>{model.label || model.name}</label>}
      <div className={styles.value}>
        {model.multi ? text.map((value) => <span key={value} className={styles.pill}>{value}</span>) : <span>{text[0] ?? ''}</span>}
        {model.type !== 'textbox' && (
          <>
            <span className={styles.grow} />
            <Icon name="angle-down" />
          </>
        )}
      </div>
    </div>
  );
}

function Row({ panel, variables }: { panel: Panel; variables: Variables }) {
  const styles = useStyles2(pageStyles);
  return (
    <div className={styles.row}>
      <Icon name={panel.collapsed ? 'angle-right' : 'angle-down'} />
      <Text element="h2" variant="h6">
        {variables.interpolate(panel.title ?? '', panelName(panel))}
      </Text>
      {panel.collapsed && <span className={styles.count}>({panel.panels?.length ?? 0} panels)</span>}
    </div>
  );
}

interface FrameProps {
  drawable: Drawable;
  variables: Variables;
  dashboard: Dashboard;
  annotations: Annotation[];
}

function PanelFrame({ drawable, variables, dashboard, annotations }: FrameProps) {
  const { panel, width, height, series, timeRange } = drawable;
  const theme = useTheme2();
  const where = panelName(panel);
  const timeZone = dashboard.timezone === 'utc' ? 'utc' : 'browser';
  const props = useMemo(() => {
    const replace = (text: string, scopedVars?: any, format?: unknown) =>
      variables.interpolate(format === 'html' ? text.replace(/\$\{(\w+)\}/g, '${$1:html}') : text, where, undefined, linkScope(scopedVars));
    const fieldConfig = fieldConfigOf(panel);
    const frames = applyFieldOverrides({
      data: series,
      fieldConfig,
      fieldConfigRegistry: fieldRegistry(panel),
      replaceVariables: replace,
      theme,
      timeZone,
    });
    return { panel, options: optionsOf(panel), fieldConfig, frames, timeRange, timeZone, replace };
  }, [panel, series, timeRange, timeZone, theme, variables, where]);
  const items = [
    panel.timeFrom && !panel.hideTimeOverride && (
      <span key="time" style={{ color: theme.colors.text.secondary, fontSize: theme.typography.bodySmall.fontSize }}>
        <Icon name="clock-nine" size="sm" /> {rangeUtil.describeTimeRange(timeRange.raw)}
      </span>
    ),
    panel.links?.length && <Icon key="links" name="external-link-alt" size="md" />,
  ].filter(Boolean);
  return (
    <PanelChrome
      title={props.replace(panel.title ?? '')}
      description={panel.description ? renderMarkdown(props.replace(panel.description)) : undefined}
      titleItems={items.length ? items : undefined}
      width={width}
      height={height}
      padding={unpadded(panel) ? 'none' : 'md'}
      displayMode={panel.transparent ? 'transparent' : 'default'}
      hoverHeader={!panel.title && !panel.timeFrom}
    >
      {(innerWidth, innerHeight) => (
        <Boundary panel={panel}>
          <Visualization {...props} annotations={annotations} width={innerWidth} height={innerHeight} />
        </Boundary>
      )}
    </PanelChrome>
  );
}

/** Turns a component's failure into an error of its panel. */
class Boundary extends Component<{ panel: Panel; children: ReactNode }, { error?: Error }> {
  state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  componentDidCatch(error: Error) {
    fail(panelName(this.props.panel), error.message);
  }

  render() {
    return this.state.error ? <div>{this.state.error.message}</div> : this.props.children;
  }
}

const pageStyles = (theme: GrafanaTheme2) => ({
  page: css({ minHeight: '100%', background: theme.colors.background.canvas, paddingBottom: pagePadding }),
  breadcrumbs: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(1),
    height: 40,
    padding: theme.spacing(0, 2),
    background: theme.colors.background.primary,
    borderBottom: `1px solid ${theme.colors.border.weak}`,
    color: theme.colors.text.secondary,
    strong: { fontWeight: theme.typography.fontWeightMedium, color: theme.colors.text.primary },
  }),
  grid: css({ position: 'relative', margin: theme.spacing(0, 2) }),
  cell: css({ position: 'absolute' }),
  row: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(1),
    height: '100%',
    padding: theme.spacing(0, 0.5),
  }),
  count: css({ color: theme.colors.text.secondary, fontStyle: 'italic', fontSize: theme.typography.size.sm }),
});

const controlStyles = (theme: GrafanaTheme2) => ({
  bar: css({ display: 'flex', alignItems: 'flex-start', gap: theme.spacing(1), padding: theme.spacing(2) }),
  left: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1), flexGrow: 1 }),
  right: css({ display: 'flex', gap: theme.spacing(1) }),
  grow: css({ flexGrow: 1 }),
  zone: css({ color: theme.v1.palette.orange }),
  picker: css({ display: 'flex', height: theme.spacing(4) }),
  label: css({
    display: 'flex',
    alignItems: 'center',
    margin: 0,
    padding: theme.spacing(0, 1),
    background: theme.isDark ? theme.colors.background.primary : theme.colors.background.secondary,
    border: `1px solid ${theme.colors.border.weak}`,
    borderRight: 'none',
    borderRadius: `${theme.shape.radius.default} 0 0 ${theme.shape.radius.default}`,
    fontSize: theme.typography.bodySmall.fontSize,
    fontWeight: theme.typography.fontWeightMedium,
    whiteSpace: 'nowrap',
  }),
  value: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(0.5),
    minWidth: 64,
    padding: theme.spacing(0, 1),
    background: theme.components.input.background,
    border: `1px solid ${theme.components.input.borderColor}`,
    borderRadius: `0 ${theme.shape.radius.default} ${theme.shape.radius.default} 0`,
    whiteSpace: 'nowrap',
  }),
  pill: css({
    padding: theme.spacing(0.25, 1),
    background: theme.colors.background.secondary,
    borderRadius: theme.shape.radius.default,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
});
