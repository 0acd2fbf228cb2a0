"""The reports on the documents of a sync job, which are the same in Amazon Q Business and Amazon Kendra."""

LOG_STREAM = "SYNC_RUN_HISTORY_REPORT/{data_source_id}/{execution_id}"
FAILED_DOCUMENTS_QUERY = """\
fields @timestamp, DocumentId, DocumentTitle, CrawlAction, ErrorCode, ErrorMsg
| filter @logStream like "LOG_STREAM" and ConnectorDocumentStatus.Status = "FAILED"
| sort @timestamp desc"""
