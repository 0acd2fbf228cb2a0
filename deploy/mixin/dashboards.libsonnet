{
  bedrock: [import 'dashboards/bedrock-data-source.json', import 'dashboards/bedrock-overview.json'],
  exporter: [import 'dashboards/exporter.json'],
  kendra: [import 'dashboards/kendra-data-source.json', import 'dashboards/kendra-index-capacity.json', import 'dashboards/kendra-overview.json'],
  qbusiness: [import 'dashboards/data-source.json', import 'dashboards/index-capacity.json', import 'dashboards/overview.json'],
}
