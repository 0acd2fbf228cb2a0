CREATE TABLE public.account (
    target_name text NOT NULL,
    account text NOT NULL
);
CREATE TABLE public.exporter_schema (
    version integer NOT NULL
);
CREATE TABLE public.job (
    target text NOT NULL,
    source text NOT NULL,
    execution_id text NOT NULL,
    state text NOT NULL
);
CREATE TABLE public.note (
    target text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.replica (
    id text NOT NULL,
    name text NOT NULL,
    address text NOT NULL,
    until timestamp with time zone NOT NULL,
    targets text[] NOT NULL
);
CREATE TABLE public.source (
    target text NOT NULL,
    key text NOT NULL,
    totals text NOT NULL
);
CREATE TABLE public.target (
    key text NOT NULL,
    owner text,
    epoch bigint NOT NULL,
    revision bigint NOT NULL
);
INSERT INTO public.account VALUES ('t1', '000000000001');
INSERT INTO public.exporter_schema VALUES (1);
INSERT INTO public.job VALUES ('qbusiness/000000000001/us-east-1', 'application/index/source', 'j0----------------------------------', '{"job":{"execution_id":"j0----------------------------------","status":"FAILED","started":1790000000.0,"ended":1790000600.0,"documents":{"added":0,"modified":null,"deleted":null,"failed":null,"scanned":null},"error_code":"","error_message":"","connector_error":"SPE-5002","data_source_error_code":"spe-5002"},"highest":{"added":0,"modified":null,"deleted":null,"failed":null,"scanned":null},"whole":true,"accounted":"counted","gone_since":null}');
INSERT INTO public.job VALUES ('qbusiness/000000000001/us-east-1', 'application/index/source', 'j1----------------------------------', '{"job":{"execution_id":"j1----------------------------------","status":"FAILED","started":1790000001.0,"ended":1790000601.0,"documents":{"added":1,"modified":null,"deleted":null,"failed":null,"scanned":null},"error_code":"","error_message":"","connector_error":"SPE-5002","data_source_error_code":"spe-5002"},"highest":{"added":1,"modified":null,"deleted":null,"failed":null,"scanned":null},"whole":true,"accounted":"counted","gone_since":null}');
INSERT INTO public.job VALUES ('qbusiness/000000000001/us-east-1', 'application/index/source', 'j2----------------------------------', '{"job":{"execution_id":"j2----------------------------------","status":"FAILED","started":1790000002.0,"ended":1790000602.0,"documents":{"added":2,"modified":null,"deleted":null,"failed":null,"scanned":null},"error_code":"","error_message":"","connector_error":"SPE-5002","data_source_error_code":"spe-5002"},"highest":{"added":2,"modified":null,"deleted":null,"failed":null,"scanned":null},"whole":true,"accounted":"counted","gone_since":null}');
INSERT INTO public.job VALUES ('qbusiness/000000000001/us-east-1', 'application/index/source', 'r-----------------------------------', '{"job":{"execution_id":"r-----------------------------------","status":"SYNCING","started":1790000000.0,"ended":null,"documents":{"added":null,"modified":null,"deleted":null,"failed":null,"scanned":null},"error_code":"","error_message":"","connector_error":""},"highest":{"added":null,"modified":null,"deleted":null,"failed":null,"scanned":null},"whole":true,"accounted":"open","gone_since":null}');
INSERT INTO public.note VALUES ('qbusiness/000000000001/us-east-1', 'name', 'application/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'intranet \u00fc');
INSERT INTO public.note VALUES ('qbusiness/000000000001/us-east-1', 'target', 'account/t1', '000000000001');
INSERT INTO public.note VALUES ('qbusiness/000000000001/us-east-1', 'target', 'watched since/qbusiness/000000000001/us-east-1', '1790000000.125');
INSERT INTO public.note VALUES ('qbusiness/000000000001/us-east-1', 'data_source', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii/dddddddddddddddddddddddddddddddddddd', '{"source":{"target":"production","id":{"application_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","index_id":"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii","data_source_id":"dddddddddddddddddddddddddddddddddddd"},"application":"intranet","name":null,"labels":[["team","hr"]]},"index":"main","about":{"name":"hr \u00fc","type":"S3","status":"ACTIVE","created":1.0,"updated":2.5,"schedule":"cron(0 3 * * ? *)","tags":[["cost-center","a \"q\"\n"]]}}');
INSERT INTO public.replica VALUES ('old replica', 'old replica', '', '2026-11-30 00:00:00+00', '{qbusiness/000000000001/us-east-1}');
INSERT INTO public.source VALUES ('qbusiness/000000000001/us-east-1', 'application/index/source', '{"watched_since":1790000000.0,"as_of":1790000000.0,"last_succeeded":null,"last_indexed":null,"horizon":null,"forgotten_streak":0,"evicted_streak_without_content":0,"completed":{"FAILED":3},"documents":{"added":3},"failures":[["none","SPE-5002",3]],"durations":{"FAILED":{"bounds":[60.0,300.0,900.0,3600.0],"counts":[0,0,3,0,0],"sum":1800.0,"exemplars":[null,null,{"execution_id":"j2----------------------------------","seconds":600.0,"timestamp":1790000602.0},null,null]}}}');
INSERT INTO public.target VALUES ('qbusiness/000000000001/us-east-1', 'old replica', 1, 2);
ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (target_name);
ALTER TABLE ONLY public.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (target, source, execution_id);
ALTER TABLE ONLY public.note
    ADD CONSTRAINT note_pkey PRIMARY KEY (target, kind, key);
ALTER TABLE ONLY public.replica
    ADD CONSTRAINT replica_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_pkey PRIMARY KEY (target, key);
ALTER TABLE ONLY public.target
    ADD CONSTRAINT target_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.job
    ADD CONSTRAINT job_target_fkey FOREIGN KEY (target) REFERENCES public.target(key) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public.note
    ADD CONSTRAINT note_target_fkey FOREIGN KEY (target) REFERENCES public.target(key) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_target_fkey FOREIGN KEY (target) REFERENCES public.target(key) ON UPDATE CASCADE ON DELETE CASCADE;
