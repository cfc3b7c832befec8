PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    manifest TEXT NOT NULL,
    sandbox INTEGER NOT NULL CHECK (sandbox IN (0, 1)),
    remembered TEXT NOT NULL,
    fingerprint TEXT,
    accepted_msat INTEGER CHECK (accepted_msat >= 0),
    loads INTEGER NOT NULL DEFAULT 0,
    accepted_load INTEGER NOT NULL DEFAULT 0 CHECK (accepted_load <= loads),
    held_msat INTEGER NOT NULL DEFAULT 0 CHECK (held_msat >= 0),
    spent_msat INTEGER NOT NULL DEFAULT 0 CHECK (spent_msat >= 0),
    fees_msat INTEGER NOT NULL DEFAULT 0 CHECK (fees_msat >= 0),
    refunded_msat INTEGER NOT NULL DEFAULT 0 CHECK (refunded_msat BETWEEN 0 AND spent_msat + held_msat),
    created_at INTEGER NOT NULL,
    last_run_at INTEGER NOT NULL
) STRICT;
INSERT INTO batches VALUES(1,'plain','/DESK/plain.csv',0,'[{"delimiter":",","bom":false,"params":["prompt","modelId","duration","mode","generate_audio"],"extra":["x_note"]},{"results":"/DESK/plain.results.csv","results_written":true,"receipts":"/DESK/plain.receipts.csv","receipts_written":true},null]','555d9b61f9da7404c50cee7a81222034089a4265d70a045dfd600bfa187fca2a',80000000,2,2,0,4050000,3405,0,1795862150878,1795862150980);
INSERT INTO batches VALUES(2,'files','/DESK/files.csv',0,'[{"delimiter":",","bom":false,"params":["prompt","modelId","duration","mode","generate_audio"],"extra":[]},{"results":"/DESK/files.results.csv","results_written":true,"receipts":"/DESK/files.receipts.csv","receipts_written":true},{"folder":"/DESK/out","name":"{id}"}]','20ccc1d4968f9416808bec9ece5771eb30bdf67e4ec5ecf5c3c03e8e9aff7e4a',80000000,1,1,0,2700000,2270,0,1795862151067,1795862151067);
INSERT INTO batches VALUES(3,'small','/DESK/small.csv',0,'[{"delimiter":",","bom":false,"params":["prompt","modelId","duration","mode","generate_audio"],"extra":[]},{"results":"/DESK/small.results.csv","results_written":true,"receipts":"/DESK/small.receipts.csv","receipts_written":true},null]','0d631f35618a9503cd273c31cccaecaf5b57ed6691b180740f64802a1503d07b',80000000,1,1,0,0,0,0,1795862151274,1795862151274);
INSERT INTO batches VALUES(4,'failing','/DESK/failing.csv',0,'[{"delimiter":",","bom":false,"params":["prompt","modelId","duration","mode","generate_audio"],"extra":[]},{"results":"/DESK/failing.results.csv","results_written":true,"receipts":"/DESK/failing.receipts.csv","receipts_written":true},null]','b2754d89d3aa5648cd1e0a1efb3f7ec452f0aef5a23d9949a3c04b6ed5248c03',80000000,1,1,0,0,0,0,1795862151555,1795862151555);
INSERT INTO batches VALUES(5,'lost','/DESK/lost.csv',0,'[{"delimiter":",","bom":false,"params":["prompt","modelId","duration","mode","generate_audio"],"extra":[]},{"results":"/DESK/lost.results.csv","results_written":true,"receipts":"/DESK/lost.receipts.csv","receipts_written":true},null]','d3991e693957357b4613225974417bc0381d190c3cccbbf6ad5520eeca731ea7',80000000,1,1,0,2700000,2270,0,1795862154910,1795862154910);
INSERT INTO batches VALUES(6,'refund','/DESK/refund.csv',0,'[{"delimiter":",","bom":false,"params":["prompt","modelId","duration","mode","generate_audio"],"extra":[]},{"results":"/DESK/refund.results.csv","results_written":true,"receipts":"/DESK/refund.receipts.csv","receipts_written":true},null]','d5817c589ba9af253ba473ab63955e79aa7237637df89a6393386fbc259b87af',80000000,1,1,0,1350000,1135,1350000,1795862155246,1795862155246);
INSERT INTO batches VALUES(7,'owed','/DESK/owed.csv',0,'[{"delimiter":",","bom":false,"params":["prompt","modelId","duration","mode","generate_audio"],"extra":[]},{"results":"/DESK/owed.results.csv","results_written":true,"receipts":"/DESK/owed.receipts.csv","receipts_written":true},null]','33110c871a88877e19c79a6a5de92baf53e599c45492f3372e6ba265ae64f8ff',80000000,1,1,0,1350000,1135,0,1795862156562,1795862156562);
INSERT INTO batches VALUES(8,'doubt','/DESK/doubt.csv',0,'[{"delimiter":",","bom":false,"params":["prompt","modelId","image","duration","mode","generate_audio"],"extra":[]},{"results":"/DESK/doubt.results.csv","results_written":true,"receipts":"/DESK/doubt.receipts.csv","receipts_written":true},null]','b127f78b3ba059f8bb8879e91d808e7bd970dbdfd35d0342b3f3bca273973ce9',80000000,1,1,1870000,0,0,0,1795862159790,1795862159790);
INSERT INTO batches VALUES(9,'killed','/DESK/killed.csv',0,'[{"delimiter":",","bom":false,"params":["prompt","modelId","duration","mode","generate_audio"],"extra":[]},{"results":"/DESK/killed.results.csv","results_written":true,"receipts":"/DESK/killed.receipts.csv","receipts_written":true},null]','8de406f770a36c996a2cd5d281434f86e65d3cfbc30973c2c70a98f4d7ace4a4',80000000,1,1,1360000,0,0,0,1795862162350,1795862162350);
CREATE TABLE endpoints (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    json TEXT NOT NULL
) STRICT;
INSERT INTO endpoints VALUES(1,X'4e4ab7af035d10a6a8213055059dda7d4c1020cffa88189ddc349ad918a4b747','{"name":"generate-video","url":"http://127.0.0.1:21737/api/l402/generate-video","method":"POST","params":[{"name":"prompt","kind":{"type":"text"},"required":true,"default":null},{"name":"modelId","kind":{"type":"integer-or-text"},"required":false,"default":null},{"name":"duration","kind":{"type":"integer","min":3,"max":15},"required":false,"default":{"integer":5}},{"name":"mode","kind":{"type":"choice","values":["standard","pro"]},"required":false,"default":{"text":"pro"}},{"name":"generate_audio","kind":{"type":"boolean"},"required":false,"default":{"boolean":false}}],"price":{"by":["mode","generate_audio"],"rates":[{"when":[{"text":"standard"},{"boolean":false}],"rate":300000},{"when":[{"text":"standard"},{"boolean":true}],"rate":400000},{"when":[{"text":"pro"},{"boolean":false}],"rate":450000},{"when":[{"text":"pro"},{"boolean":true}],"rate":550000}],"quantity":"duration","unit":"second"},"result":{"url":["/videoUrl","/result/videoUrl","/result/url","/body/videoUrl","/body/result/videoUrl","/body/result/url","/url","/body/url"],"poll_url":["/poll_url","/body/poll_url"],"poll_interval_ms":["/poll_interval_ms","/body/poll_interval_ms"],"status":["/status","/body/status"],"done":["COMPLETED","SUCCEEDED"],"failed":["FAILED","ERROR","CANCELED","CANCELLED"]},"errors":[{"code":"TIMEOUT","before":"retry","after":"retry"},{"code":"RATE_LIMITED","before":"rate-limited","after":"rate-limited"},{"code":"SERVICE_ERROR","before":"retry","after":"retry"},{"code":"CONTENT_FILTERED","before":"content-filtered","after":"content-filtered"},{"code":"INVALID_INPUT","before":"invalid-input","after":"invalid-input"},{"code":"L402_INVALID_PARAMS","before":"invalid-input","after":"invalid-input"},{"code":"L402_UPSTREAM_FAILED","before":"by-status","after":"redeem-again"},{"code":"L402_REFUND_ISSUED","before":"by-status","after":"refund"},{"code":"L402_DEDUP_HIT","before":"cached","after":"cached"},{"code":"L402_ESTIMATE_ONLY","before":"not-for-sale","after":"by-status"}],"dedup_window_s":30,"bypass_header":"X-No-Cache","listing":"/api/l402/models","allow_http":false,"source":"sats4ai.com: Using the L402 Video Generation API","as_of":"2026-11-20","defined_in":"built-in, /tmp/v01fix/w/sb/state/catalog.toml"}');
INSERT INTO endpoints VALUES(2,X'95418947ec85ec3b8345b32f7c614b09a5c03693a38dc3139f5e6893fa6555c8','{"name":"animate-image","url":"http://127.0.0.1:21737/api/l402/animate-image","method":"POST","params":[{"name":"prompt","kind":{"type":"text"},"required":true,"default":null},{"name":"modelId","kind":{"type":"integer-or-text"},"required":false,"default":null},{"name":"image","kind":{"type":"image"},"required":true,"default":null},{"name":"duration","kind":{"type":"integer","min":3,"max":15},"required":false,"default":{"integer":5}}],"price":{"by":[],"rates":[{"when":[],"rate":100000}],"quantity":"duration","unit":"second"},"result":{"url":["/videoUrl","/result/videoUrl","/result/url","/body/videoUrl","/body/result/videoUrl","/body/result/url","/url","/body/url"],"poll_url":["/poll_url","/body/poll_url"],"poll_interval_ms":["/poll_interval_ms","/body/poll_interval_ms"],"status":["/status","/body/status"],"done":["COMPLETED","SUCCEEDED"],"failed":["FAILED","ERROR","CANCELED","CANCELLED"]},"errors":[{"code":"TIMEOUT","before":"retry","after":"retry"},{"code":"RATE_LIMITED","before":"rate-limited","after":"rate-limited"},{"code":"SERVICE_ERROR","before":"retry","after":"retry"},{"code":"CONTENT_FILTERED","before":"content-filtered","after":"content-filtered"},{"code":"INVALID_INPUT","before":"invalid-input","after":"invalid-input"},{"code":"L402_INVALID_PARAMS","before":"invalid-input","after":"invalid-input"},{"code":"L402_UPSTREAM_FAILED","before":"by-status","after":"redeem-again"},{"code":"L402_REFUND_ISSUED","before":"by-status","after":"refund"},{"code":"L402_DEDUP_HIT","before":"cached","after":"cached"},{"code":"L402_ESTIMATE_ONLY","before":"not-for-sale","after":"by-status"}],"dedup_window_s":30,"bypass_header":"X-No-Cache","listing":"/api/l402/models","allow_http":false,"source":"sats4ai.com: Using the L402 Video from Image API","as_of":"2026-11-20","defined_in":"built-in, /tmp/v01fix/w/sb/state/catalog.toml"}');
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL REFERENCES batches (id),
    job TEXT NOT NULL CHECK (job <> ''),
    take INTEGER NOT NULL CHECK (take >= 1),
    superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    line INTEGER NOT NULL CHECK (line >= 0),
    endpoint INTEGER NOT NULL REFERENCES endpoints (id),
    content BLOB NOT NULL CHECK (length(content) = 32),
    price_msat INTEGER NOT NULL CHECK (price_msat >= 0),
    fee_ceiling_msat INTEGER NOT NULL CHECK (fee_ceiling_msat >= 0),
    max_cost_msat INTEGER CHECK (max_cost_msat >= 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'in_doubt', 'paid', 'delivered', 'downloaded',
        'refused', 'failed', 'refund_offered', 'refunded', 'lost')),
    reason TEXT NOT NULL,
    error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    started_at INTEGER,
    finished_at INTEGER,
    wait_until INTEGER,
    url TEXT,
    file TEXT,
    file_key TEXT,
    resume TEXT,
    sha256 TEXT,
    first_load INTEGER NOT NULL,
    last_load INTEGER NOT NULL,
    params TEXT NOT NULL,
    extra TEXT NOT NULL,
    UNIQUE (batch, job, take),
    CHECK (state NOT IN ('delivered', 'downloaded') OR url IS NOT NULL),
    CHECK (state <> 'downloaded' OR (file IS NOT NULL AND sha256 IS NOT NULL)),
    CHECK ((file IS NULL) = (file_key IS NULL))
) STRICT;
INSERT INTO jobs VALUES(1,1,'1',1,1,0,2,1,X'bf44dd260b4231aa54b2b79cabd544e75952c8b62d96a531ce4533392dc5e0dc',1350000,10000,NULL,'delivered','',NULL,1,1795862150899,1795862150914,NULL,'http://127.0.0.1:21737/videos/be4b7abd070e26d13c2f0519.mp4',NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"kite one"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[["x_note","first"]]');
INSERT INTO jobs VALUES(2,1,'2',1,0,1,3,1,X'3398eea935ea394444728a30a755d1afa3813e4b7d473495d0b6a7124d1be40e',1350000,10000,NULL,'delivered','',NULL,1,1795862150899,1795862150915,NULL,'http://127.0.0.1:21737/videos/992b9dbe77e9acbae8ba09a4.mp4',NULL,NULL,NULL,NULL,1,2,'[["prompt",{"text":"kite two"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(3,1,'3',1,0,2,4,1,X'14429f99f216e9236c120aa88ae906a009c0c55a7ae37a884078dfcebde7c1d4',1350000,10000,NULL,'pending','',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,2,'[["prompt",{"text":"kite three"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(4,1,'1',2,0,0,2,1,X'bf44dd260b4231aa54b2b79cabd544e75952c8b62d96a531ce4533392dc5e0dc',1350000,10000,NULL,'delivered','',NULL,1,1795862150995,1795862151007,NULL,'http://127.0.0.1:21737/videos/36d04e56888e863a150cdb0c.mp4',NULL,NULL,NULL,NULL,2,2,'[["prompt",{"text":"kite one"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[["x_note","first"]]');
INSERT INTO jobs VALUES(5,2,'1',1,0,0,2,1,X'cac748a95e31d81cec3d0f1bf72b82cce30fb6c3392163997daa2dc2ab243afe',1350000,10000,NULL,'downloaded','',NULL,1,1795862151083,1795862151105,NULL,'http://127.0.0.1:21737/videos/88d424646da20530f0297eb1.mp4','/DESK/out/1.mp4','/DESK/out/1.mp4',NULL,'23614dcf95f63135327ee228b92ba3afc2f012c5f2a0c5380349c865ae14d820',1,1,'[["prompt",{"text":"boat one"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(6,2,'2',1,0,1,3,1,X'025601585ae2be35ff690a516a3d0fc2c4012694c274bf4a353ebcb275c75f06',1350000,10000,NULL,'downloaded','',NULL,1,1795862151083,1795862151210,NULL,'http://127.0.0.1:21737/videos/3ecb4510bec8991550983f8c.mp4','/DESK/out/2.mp4','/DESK/out/2.mp4',NULL,'44da2921b86dd3051f4a2476b43750f849a67a277c80f8cea4e244319a71ca14',1,1,'[["prompt",{"text":"boat two"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(7,3,'1',1,0,0,2,1,X'5fca45cc861ae7fbd456f33d66f41900fb826c7465ae229c947633f710930cd5',1350000,10000,1000,'refused','job_limit','the price of 1,350 sats and a routing fee of up to 10 sats are above the job''s limit of 1 sats',1,1795862151284,1795862151284,NULL,NULL,NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"sun one"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(8,4,'1',1,0,0,2,1,X'5e143bd7bb297f92e795a1bcee2de306f28d545fa283c907e822136f62584ddc',1350000,10000,NULL,'failed','payment_timeout','the payment found no way in time',3,1795862151572,1795862154612,NULL,NULL,NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"rain one"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(9,5,'1',1,0,0,2,1,X'5b61310f09eb29c4f5371fa9a67c0b6efc08cf1c44446cf3f880cbfe9adade44',1350000,10000,NULL,'lost','invalid_input','HTTP 400 (INVALID_INPUT): the request is wrong; mend the parameters',1,1795862154932,1795862154945,NULL,NULL,NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"snow one"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(10,5,'2',1,0,1,3,1,X'e71f5c642ba360e3b23ca8ea573fc37cab47ed9c66c8df28698a5a55e51498fd',1350000,10000,NULL,'lost','decided','given-up',1,1795862154932,1795862155001,NULL,NULL,NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"snow two"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(11,6,'1',1,0,0,2,1,X'855002047468bfda762da53cbd92ebe811083b7b42e24c9774f412308785c343',1350000,10000,NULL,'refunded','',NULL,1,1795862155258,1795862156277,NULL,NULL,NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"hail one"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(12,7,'1',1,0,0,2,1,X'554d2064b57c66d4c9f8e16f7422dea91b8e15f9d4ef46c017e04e1d0e07705d',1350000,10000,NULL,'paid','not_delivered','HTTP 500 (SERVICE_ERROR): something went wrong; try again',1,1795862156575,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"moon one"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(13,8,'1',1,0,0,2,2,X'b295dd378c9d1c64c81550d495a653a1946ad217a6ca86c448def8be9938f045',500000,10000,NULL,'in_doubt','payment_in_flight','the node has it on its way',1,1795862159806,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"wave one"}],["image",{"image":{"source":{"file":"/DESK/big.png"},"sha256":"a7ed41a9a8cc0012779ae5d76fdcd751bfa301db1979b81f8bf9eab25f070c99","kind":"png"}}],["duration",{"integer":5}]]','[]');
INSERT INTO jobs VALUES(14,8,'2',1,0,1,3,1,X'd2f174918105fcdbd38f3f75bda2ea2e536f5d75f660a5d81a4329ff4529202c',1350000,10000,NULL,'in_doubt','payment_in_flight','the node has it on its way',1,1795862159805,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"wave two"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
INSERT INTO jobs VALUES(15,9,'1',1,0,0,2,1,X'aabec4bc40536fc897630d0740a6b524e28973992a9f0a9472fe8e00abcdee55',1350000,10000,NULL,'running','',NULL,1,1795862162362,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,1,'[["prompt",{"text":"wave three"}],["duration",{"integer":3}],["mode",{"text":"pro"}],["generate_audio",{"boolean":false}]]','[]');
CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    batch INTEGER NOT NULL REFERENCES batches (id),
    payment_hash BLOB NOT NULL UNIQUE CHECK (length(payment_hash) = 32),
    state TEXT NOT NULL CHECK (state IN ('intended', 'paid', 'posted', 'dead')),
    amount_msat INTEGER NOT NULL CHECK (amount_msat > 0),
    fee_limit_msat INTEGER NOT NULL CHECK (fee_limit_msat >= 0),
    fee_msat INTEGER CHECK (fee_msat >= 0),
    payment_index INTEGER CHECK (payment_index >= 0),
    node TEXT NOT NULL CHECK (node <> ''),
    day TEXT,
    month TEXT,
    sends_begun INTEGER NOT NULL CHECK (sends_begun >= 1),
    sends_answered INTEGER NOT NULL DEFAULT 0 CHECK (sends_answered BETWEEN 0 AND sends_begun),
    sent_at INTEGER NOT NULL,
    send_answered_at INTEGER,
    node_said TEXT,
    node_said_at INTEGER,
    accepted INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1)),
    redeems INTEGER NOT NULL DEFAULT 0 CHECK (redeems >= 0),
    preimage BLOB CHECK (length(preimage) = 32),
    dead_proof TEXT CHECK (dead_proof IN ('failed_and_answered', 'failed_and_expired', 'not_found_and_answered',
        'not_found_and_expired', 'decided')),
    poll_url TEXT,
    poll_interval_ms INTEGER CHECK (poll_interval_ms >= 0),
    intended_at INTEGER NOT NULL,
    paid_at INTEGER,
    posted_at INTEGER,
    answered_at INTEGER,
    delivered_at INTEGER,
    dead_at INTEGER,
    CHECK ((state IN ('paid', 'posted')) = (preimage IS NOT NULL)),
    CHECK ((state = 'dead') = (dead_proof IS NOT NULL)),
    CHECK (state <> 'posted' OR fee_msat IS NOT NULL),
    CHECK (state NOT IN ('intended', 'paid', 'dead') OR fee_msat IS NULL),
    CHECK (delivered_at IS NULL OR preimage IS NOT NULL),
    CHECK ((poll_url IS NULL) = (poll_interval_ms IS NULL)),
    CHECK (node_said IS NULL OR node_said_at IS NOT NULL)
) STRICT;
INSERT INTO payments VALUES(1,1,1,X'be4b7abd070e26d13c2f0519d2357bbf27a506f1be809df2440629affe44e233','posted',1350000,10000,1135,1,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862150899,1795862150910,NULL,NULL,0,1,X'695e2ef4873e5eed6c3ea0b8458dd37531472ad613608e89321426b38841ce30',NULL,NULL,NULL,1795862150899,1795862150910,1795862150910,1795862150913,1795862150914,NULL);
INSERT INTO payments VALUES(2,2,1,X'992b9dbe77e9acbae8ba09a44a0b5a6ede8768a82496bb55b2366951ad123b69','posted',1350000,10000,1135,2,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862150899,1795862150911,NULL,NULL,0,1,X'c67e25732c224f98657fb6c52c2b03b3ccb5350aed71b5f0ae78bd3c4b7ed6d6',NULL,NULL,NULL,1795862150899,1795862150911,1795862150911,1795862150914,1795862150915,NULL);
INSERT INTO payments VALUES(3,4,1,X'36d04e56888e863a150cdb0c00d17b6a34164bc60d0a8e04ba2a53ea802c471a','posted',1350000,10000,1135,3,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862150995,1795862151004,NULL,NULL,0,1,X'6902f1dde5fc7f5b837f14c160d1320dba75d6a6109d4ee1fd5c8dff98a5d8e3',NULL,NULL,NULL,1795862150995,1795862151004,1795862151004,1795862151006,1795862151007,NULL);
INSERT INTO payments VALUES(4,5,2,X'88d424646da20530f0297eb1c29aba7bfd2cffaa0f918bb06ceb91f1f8c58f56','posted',1350000,10000,1135,4,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862151083,1795862151093,NULL,NULL,0,1,X'64048067a3106e95676259387b63cf986f98ba7b25ab5f3a36945c1ce40d32f4',NULL,NULL,NULL,1795862151083,1795862151093,1795862151093,1795862151095,1795862151098,NULL);
INSERT INTO payments VALUES(5,6,2,X'3ecb4510bec8991550983f8ce0eab7a1059283edaae56de6688af7878f2b7392','posted',1350000,10000,1135,5,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862151083,1795862151093,NULL,NULL,0,1,X'4f8e2c48d7836388b53a81e1b1b3045fbdd6dcc126f8f56b0927a0f42c990193',NULL,NULL,NULL,1795862151083,1795862151093,1795862151093,1795862151095,1795862151098,NULL);
INSERT INTO payments VALUES(6,8,4,X'd7cb55cdb869acd4e64ba5f91671fac9bfac7a6e64475e462ab4a6de565f0fc9','dead',1350000,10000,NULL,NULL,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862151572,1795862151581,'the payment found no way in time',1795862151581,1,0,NULL,'failed_and_answered',NULL,NULL,1795862151572,NULL,NULL,NULL,NULL,1795862151581);
INSERT INTO payments VALUES(7,8,4,X'5e6e91c2d3396909471bcb9598e8eb07b36ea7602ec16d963419d0e79d8df8ee','dead',1350000,10000,NULL,NULL,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862152585,1795862152595,'the payment found no way in time',1795862152596,1,0,NULL,'failed_and_answered',NULL,NULL,1795862152585,NULL,NULL,NULL,NULL,1795862152596);
INSERT INTO payments VALUES(8,8,4,X'd35928ea3400a3f20700ecb02614fd69e4d4f0f23a6651fc367219763b3ecea1','dead',1350000,10000,NULL,NULL,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862154600,1795862154610,'the payment found no way in time',1795862154612,1,0,NULL,'failed_and_answered',NULL,NULL,1795862154600,NULL,NULL,NULL,NULL,1795862154612);
INSERT INTO payments VALUES(9,9,5,X'1461ae6c72e6ca6d8d366321689f9945a5baf659039531e4945aa05bf7563bb2','posted',1350000,10000,1135,9,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862154932,1795862154941,NULL,NULL,0,1,X'c8273d82641ff34342f8355098ec3fb779700a42c7d6a34146d0f0f49100b3da',NULL,NULL,NULL,1795862154932,1795862154941,1795862154941,1795862154944,NULL,NULL);
INSERT INTO payments VALUES(10,10,5,X'593a0c2a332b4a0e23922e4d31751b81d6c30abb7e61802cc2e64cfaa66b7088','posted',1350000,10000,1135,10,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862154932,1795862154944,NULL,NULL,0,1,X'84e666bf76ae5a0ec81ca785aee41d07c01d94a77307a42e7fa22e0694586e18',NULL,NULL,NULL,1795862154932,1795862154944,1795862154944,1795862154946,NULL,NULL);
INSERT INTO payments VALUES(11,11,6,X'92e6361e5e381c1f596d77620d5685ff68a97110dcf841727ce0c14d2fc90bce','posted',1350000,10000,1135,11,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862155258,1795862155266,NULL,NULL,0,1,X'678f7d6190401d8f26a5892d610aad92adadff05456bc76183a926b7dbe1fca9',NULL,NULL,NULL,1795862155258,1795862155266,1795862155266,1795862155268,NULL,NULL);
INSERT INTO payments VALUES(12,12,7,X'8b67e85427ec13a36602465047a5c861278a921ea09584e1f8cb271b6cdf93bf','posted',1350000,10000,1135,12,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,1,1795862156575,1795862156584,NULL,NULL,0,2,X'a0e24941d1302a78f5bf5483c382ea1ecff34c83200a879c680934146e10c3e7',NULL,NULL,NULL,1795862156575,1795862156584,1795862156584,1795862157589,NULL,NULL);
INSERT INTO payments VALUES(13,14,8,X'80971f6cd2cb9905f98992c47fd08b27c7f59cfa9858626f702664fa842dfada','intended',1350000,10000,NULL,NULL,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,0,1795862159805,NULL,'the node has it on its way',1795862161301,1,0,NULL,NULL,NULL,NULL,1795862159805,NULL,NULL,NULL,NULL,NULL);
INSERT INTO payments VALUES(14,13,8,X'133ee76eea5b6e132d88380d2e835e07db998c37fc7719d45c0ce1167f1c9f23','intended',500000,10000,NULL,NULL,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,0,1795862159806,NULL,'the node has it on its way',1795862161300,1,0,NULL,NULL,NULL,NULL,1795862159806,NULL,NULL,NULL,NULL,NULL);
INSERT INTO payments VALUES(15,15,9,X'50eb92c3a837cdc43eddf84037ce4e5bb36144070c021297fbdf5518adb9d981','intended',1350000,10000,NULL,NULL,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626','2026-11-28','2026-11',1,0,1795862162362,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,1795862162362,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE intents (
    payment INTEGER PRIMARY KEY REFERENCES payments (id),
    request_digest BLOB NOT NULL CHECK (length(request_digest) = 32),
    method TEXT NOT NULL CHECK (method IN ('GET', 'POST')),
    url TEXT NOT NULL,
    scheme TEXT NOT NULL CHECK (scheme IN ('L402', 'LSAT', 'Payment')),
    token TEXT NOT NULL,
    challenge TEXT NOT NULL,
    invoice TEXT NOT NULL,
    payee TEXT NOT NULL,
    network TEXT NOT NULL,
    invoice_expires_at INTEGER NOT NULL,
    credential_expires_at INTEGER NOT NULL,
    body_sha256 BLOB CHECK (length(body_sha256) = 32),
    body BLOB,
    CHECK ((body IS NULL) <> (body_sha256 IS NULL))
) STRICT;
INSERT INTO intents VALUES(1,X'1d21a69cd89974ff3baff34f9f2060f4ecb3974cfdae0d2381b50c19b43b4674','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAAC+S3q9Bw4m0TwvBRnSNXu/J6UG8b6AnfJEBimv/kTiMxOVJWai2cGJ6EjRvUDXxNHq0KgbnO1RzmD33okwq1NbAAAGIPxVwJpFVxArva7hxgIh7q+Ev5Mq5Jdnn6rlSkNBPCjB','[["macaroon","AgJCAAC+S3q9Bw4m0TwvBRnSNXu/J6UG8b6AnfJEBimv/kTiMxOVJWai2cGJ6EjRvUDXxNHq0KgbnO1RzmD33okwq1NbAAAGIPxVwJpFVxArva7hxgIh7q+Ev5Mq5Jdnn6rlSkNBPCjB"],["invoice","lnbcrt13500n1p4s4t5xdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5he9h40g8pcndz0p0q5vaydtmhun62ph3h6qfmujyqc56lljyugessp5psw5l2urxs2wz2s5s6u2vqm4ke5kkz5uw9ttrjpu2unjf6hjamws9qyysgqcqzzsxqzjch6ff922376gzn35cxvurv070w4ya48nmntte9j0jfsgjy39n2wpxhqdsydf9adprpjg9zs07704fhrkjztf0atwqwwtcqdp3arhzaygp28kx3t"]]','lnbcrt13500n1p4s4t5xdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5he9h40g8pcndz0p0q5vaydtmhun62ph3h6qfmujyqc56lljyugessp5psw5l2urxs2wz2s5s6u2vqm4ke5kkz5uw9ttrjpu2unjf6hjamws9qyysgqcqzzsxqzjch6ff922376gzn35cxvurv070w4ya48nmntte9j0jfsgjy39n2wpxhqdsydf9adprpjg9zs07704fhrkjztf0atwqwwtcqdp3arhzaygp28kx3t','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862750000,1795862750898,NULL,X'7b2270726f6d7074223a226b697465206f6e65222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(2,X'c0044a75e86fad384caaf09ea9b7e112352170fd6e842abbf4047ce751db9bb5','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAACZK52+d+msuui6CaRKC1pu3odoqCSWu1WyNmlRrRI7aV9NKXz2jvdViqhHt0YThJKsAh8xjEM7SJwh48biThB/AAAGIIA9iWeg2qsgE9dMhjzWyaHB9+qG0S2smeSf4sS+GIAf','[["macaroon","AgJCAACZK52+d+msuui6CaRKC1pu3odoqCSWu1WyNmlRrRI7aV9NKXz2jvdViqhHt0YThJKsAh8xjEM7SJwh48biThB/AAAGIIA9iWeg2qsgE9dMhjzWyaHB9+qG0S2smeSf4sS+GIAf"],["invoice","lnbcrt13500n1p4s4t5xdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5ny4em0nhaxkt4696pxjy5z66dm0gw69gyjttk4djxe54rtgj8d5ssp524ryclfzyrepwdm87vf0sl6mknadgyp8z2ew72mjczuqd30zp8cs9qyysgqcqzzsxqzjchkq5kdnucrxa7lleea80fl5y2dspvy5ummnqgzgppuau88dcf2mrzpvq9mmjzurnm3d6pxjpyvp7g6fzeesys9svhqha84zzxzmvkmgpmsczpz"]]','lnbcrt13500n1p4s4t5xdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5ny4em0nhaxkt4696pxjy5z66dm0gw69gyjttk4djxe54rtgj8d5ssp524ryclfzyrepwdm87vf0sl6mknadgyp8z2ew72mjczuqd30zp8cs9qyysgqcqzzsxqzjchkq5kdnucrxa7lleea80fl5y2dspvy5ummnqgzgppuau88dcf2mrzpvq9mmjzurnm3d6pxjpyvp7g6fzeesys9svhqha84zzxzmvkmgpmsczpz','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862750000,1795862750899,NULL,X'7b2270726f6d7074223a226b6974652074776f222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(3,X'1d21a69cd89974ff3baff34f9f2060f4ecb3974cfdae0d2381b50c19b43b4674','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAAA20E5WiI6GOhUM2wwA0XtqNBZLxg0KjgS6KlPqgCxHGp3j9gvmXnPJx/SIz7EonMzQx/nls8FJpBTE9bjsUsXTAAAGIJv6jUapzNJdzQLL8o7ByxLZgZRgWJeYvl+xu41shEob','[["macaroon","AgJCAAA20E5WiI6GOhUM2wwA0XtqNBZLxg0KjgS6KlPqgCxHGp3j9gvmXnPJx/SIz7EonMzQx/nls8FJpBTE9bjsUsXTAAAGIJv6jUapzNJdzQLL8o7ByxLZgZRgWJeYvl+xu41shEob"],["invoice","lnbcrt13500n1p4s4t5xdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5xmgyu45g36rr59gvmvxqp5tmdg6pvj7xp59gup969ff74qpvgudqsp5f73v4m3ymct252cn6hvkfnvvuasfpwwevvkpjr22plkf8fu33sus9qyysgqcqzzsxqzjcdn3s9kd688gj7yharfd2zhfuykvxr4f3kxsw2w3y92ezvk7anj2rvzc53vncka0nwg6dmvl3av6825en05fny5czzl3f8uqay390dcsq7dazyq"]]','lnbcrt13500n1p4s4t5xdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5xmgyu45g36rr59gvmvxqp5tmdg6pvj7xp59gup969ff74qpvgudqsp5f73v4m3ymct252cn6hvkfnvvuasfpwwevvkpjr22plkf8fu33sus9qyysgqcqzzsxqzjcdn3s9kd688gj7yharfd2zhfuykvxr4f3kxsw2w3y92ezvk7anj2rvzc53vncka0nwg6dmvl3av6825en05fny5czzl3f8uqay390dcsq7dazyq','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862750000,1795862750995,NULL,X'7b2270726f6d7074223a226b697465206f6e65222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(4,X'e66b0418813ae7d456a4e423ba9ab276f0abaaeb50702f698b9bc8a6b2821bea','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAACI1CRkbaIFMPApfrHCmrp7/Sz/qg+Ri7Bs65Hx+MWPVkvm2EFd2I7bm6GREJeGouml+2ARxr6LKoTtRFtQafYyAAAGIADJzilx/k4+GjUNmId1F1mkMY/Aj0IaKj35gol5Jyih','[["macaroon","AgJCAACI1CRkbaIFMPApfrHCmrp7/Sz/qg+Ri7Bs65Hx+MWPVkvm2EFd2I7bm6GREJeGouml+2ARxr6LKoTtRFtQafYyAAAGIADJzilx/k4+GjUNmId1F1mkMY/Aj0IaKj35gol5Jyih"],["invoice","lnbcrt13500n1p4s4t58dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp53r2zgerd5gznpupf06cu9x46007jela2p7gchvrvawglr7x93atqsp5fvz5kaxktczwdwyl4dpr4v9cvju9fy76865khy6gj9hrqjntsuzs9qyysgqcqzzsxqzjca663fmhzef78hn54dqtpravknu8vug6jvwyxzy2sm2ys0fg32m4ywcfphtmseanm4keus2zj43l9akcmj4vvtxwsp0jwq7vn5pqukegq8sgu0d"]]','lnbcrt13500n1p4s4t58dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp53r2zgerd5gznpupf06cu9x46007jela2p7gchvrvawglr7x93atqsp5fvz5kaxktczwdwyl4dpr4v9cvju9fy76865khy6gj9hrqjntsuzs9qyysgqcqzzsxqzjca663fmhzef78hn54dqtpravknu8vug6jvwyxzy2sm2ys0fg32m4ywcfphtmseanm4keus2zj43l9akcmj4vvtxwsp0jwq7vn5pqukegq8sgu0d','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862751000,1795862751083,NULL,X'7b2270726f6d7074223a22626f6174206f6e65222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(5,X'5b66cf530f30bc2017149b7aab694ce58b83d6e43255c4554fcd008c1fc38aae','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAAA+y0UQvsiZFVCYP4zg6rehBZKD7arlbeZoiveHjytzkozrGUTK4sB8SP+wt/17GhJN4tvSdS+0n/e5sKERX1IHAAAGICjGnTCJPaGQvfgCluHKvoyFnMR3QGlUn/gIyHVGt6Oq','[["macaroon","AgJCAAA+y0UQvsiZFVCYP4zg6rehBZKD7arlbeZoiveHjytzkozrGUTK4sB8SP+wt/17GhJN4tvSdS+0n/e5sKERX1IHAAAGICjGnTCJPaGQvfgCluHKvoyFnMR3QGlUn/gIyHVGt6Oq"],["invoice","lnbcrt13500n1p4s4t58dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp58m952y97ezv325yc87xwp64h5yze9qld4tjkmeng3tmc0retwwfqsp5j7rman5u2z6qwpjf4wq7d9y2d5z38qcae9zrmjv7dp2mm286esuq9qyysgqcqzzsxqzjckul59uy6c5fw26300slgkwf4zd44sy0s2fxsx0fh4uylenln8cux3kqmvw63zqjgr8zwaf33mtg56x6j0k6sll0sazuduwrg2na26mcpkvlppw"]]','lnbcrt13500n1p4s4t58dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp58m952y97ezv325yc87xwp64h5yze9qld4tjkmeng3tmc0retwwfqsp5j7rman5u2z6qwpjf4wq7d9y2d5z38qcae9zrmjv7dp2mm286esuq9qyysgqcqzzsxqzjckul59uy6c5fw26300slgkwf4zd44sy0s2fxsx0fh4uylenln8cux3kqmvw63zqjgr8zwaf33mtg56x6j0k6sll0sazuduwrg2na26mcpkvlppw','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862751000,1795862751083,NULL,X'7b2270726f6d7074223a22626f61742074776f222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(6,X'f673c55a839b9b5a01bfd0e2b2d70adc6e2698929d21d24890cacbc2823cce29','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAADXy1XNuGms1OZLpfkWcfrJv6x6bmRHXkYqtKbeVl8PyXP3IHzzp4GcnZiP6H4iIrCqPN9wSllv9IWEaTSjWRcGAAAGIC1CuQjepgC/VMxmDBghvHhIqv6s7K16S6u8LfEZzYIZ','[["macaroon","AgJCAADXy1XNuGms1OZLpfkWcfrJv6x6bmRHXkYqtKbeVl8PyXP3IHzzp4GcnZiP6H4iIrCqPN9wSllv9IWEaTSjWRcGAAAGIC1CuQjepgC/VMxmDBghvHhIqv6s7K16S6u8LfEZzYIZ"],["invoice","lnbcrt13500n1p4s4t58dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp56l94tndcdxkdfejt5hu3vu06exl6c7nwv3r4u332kjndu4jlplyssp575nu0qy25um5ran4tdyrrsa83rjmews5edu752trjsx2d55jjgfs9qyysgqcqzzsxqzjcu9u36myycmun29xx55r8y06dny4p4dqkpw32l488kk5w4e48mh8keh67crlvmr937wxnvry6u5nsks2kdc95a27ajf40fqcc2047kecp886mnr"]]','lnbcrt13500n1p4s4t58dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp56l94tndcdxkdfejt5hu3vu06exl6c7nwv3r4u332kjndu4jlplyssp575nu0qy25um5ran4tdyrrsa83rjmews5edu752trjsx2d55jjgfs9qyysgqcqzzsxqzjcu9u36myycmun29xx55r8y06dny4p4dqkpw32l488kk5w4e48mh8keh67crlvmr937wxnvry6u5nsks2kdc95a27ajf40fqcc2047kecp886mnr','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862751000,1795862751572,NULL,X'7b2270726f6d7074223a227261696e206f6e65222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(7,X'f673c55a839b9b5a01bfd0e2b2d70adc6e2698929d21d24890cacbc2823cce29','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAABebpHC0zlpCUcby5WY6OsHs26nYC7BbZY0GdDnnY347oo05bIkdqBboamgoykp46tgk1Q1zhCkI6hXpefOwqLnAAAGIKw18vyj4cAY61+GDNjEo6TcLhkmDueUWJokIW218Mue','[["macaroon","AgJCAABebpHC0zlpCUcby5WY6OsHs26nYC7BbZY0GdDnnY347oo05bIkdqBboamgoykp46tgk1Q1zhCkI6hXpefOwqLnAAAGIKw18vyj4cAY61+GDNjEo6TcLhkmDueUWJokIW218Mue"],["invoice","lnbcrt13500n1p4s4t5gdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5tehfrskn895sj3cmew2e368tq7ekafmq9mqkm935r8gw08vdlrhqsp5v6hr55tyv2xq304muc6ld5w4upuael7jza9h5da4gmysxqzgpn4s9qyysgqcqzzsxqzjc60ekx4ancxrr5d45rvwf0nnxswdh426llazxt9vl0j0yelpreyyxyeukysml3rmyctejuf8fsf6vyq5gf4wyfkk4c2wuw4zp5cndpzsq0z9sd9"]]','lnbcrt13500n1p4s4t5gdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5tehfrskn895sj3cmew2e368tq7ekafmq9mqkm935r8gw08vdlrhqsp5v6hr55tyv2xq304muc6ld5w4upuael7jza9h5da4gmysxqzgpn4s9qyysgqcqzzsxqzjc60ekx4ancxrr5d45rvwf0nnxswdh426llazxt9vl0j0yelpreyyxyeukysml3rmyctejuf8fsf6vyq5gf4wyfkk4c2wuw4zp5cndpzsq0z9sd9','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862752000,1795862752585,NULL,X'7b2270726f6d7074223a227261696e206f6e65222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(8,X'f673c55a839b9b5a01bfd0e2b2d70adc6e2698929d21d24890cacbc2823cce29','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAADTWSjqNACj8gcA7LAmFP1p5NTw8jpmUfw2chl2Oz7OoRkhVNuOt3O1eSe9wwuZtrYLqlPJQcxTW+P4/ys7x51GAAAGIKhKby/Ak1CJKi40+onKrO1VNu8/hAORlrnqv485Ccn+','[["macaroon","AgJCAADTWSjqNACj8gcA7LAmFP1p5NTw8jpmUfw2chl2Oz7OoRkhVNuOt3O1eSe9wwuZtrYLqlPJQcxTW+P4/ys7x51GAAAGIKhKby/Ak1CJKi40+onKrO1VNu8/hAORlrnqv485Ccn+"],["invoice","lnbcrt13500n1p4s4t52dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp56dvj3635qz3lypcqajczv98ad8jdfu8j8fn9rlpkwgvhvwe7e6sssp5hxjf4h6t38xh3q806myyc5fn285jhlq7nqtffvl24ug6hy9rawzq9qyysgqcqzzsxqzjcprvfgsq49f69838z5u25lrs8vnvc99pjpp7s9cdkq79zjjf97s65pg9ekysrmqwuynga6s4esj6yzet3w97z330gv36wplgu9z8pjlgpm8lfya"]]','lnbcrt13500n1p4s4t52dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp56dvj3635qz3lypcqajczv98ad8jdfu8j8fn9rlpkwgvhvwe7e6sssp5hxjf4h6t38xh3q806myyc5fn285jhlq7nqtffvl24ug6hy9rawzq9qyysgqcqzzsxqzjcprvfgsq49f69838z5u25lrs8vnvc99pjpp7s9cdkq79zjjf97s65pg9ekysrmqwuynga6s4esj6yzet3w97z330gv36wplgu9z8pjlgpm8lfya','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862754000,1795862754599,NULL,X'7b2270726f6d7074223a227261696e206f6e65222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(9,X'bce2f98fa8f5d8cd92f97fd0e3b524419458ba0d389fb4333d32c31a64d4809c','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAAAUYa5scubKbY02YyFon5lFpbr2WQOVMeSUWqBb91Y7sj71S6ugPdt3aTkzegB+j49lCU0qmz1eIgkUVHSnkQW8AAAGIIjpshRPL47xUNpk3lg2Kd3iMRs+wlMxfuHFnuVdPyzx','[["macaroon","AgJCAAAUYa5scubKbY02YyFon5lFpbr2WQOVMeSUWqBb91Y7sj71S6ugPdt3aTkzegB+j49lCU0qmz1eIgkUVHSnkQW8AAAGIIjpshRPL47xUNpk3lg2Kd3iMRs+wlMxfuHFnuVdPyzx"],["invoice","lnbcrt13500n1p4s4t52dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5z3s6umrjum9xmrfkvvsk38uegkjm4ajeqw2nrey5t2s9ha6k8weqsp54ahq3ev409tdney3g33q9ws3nw3vqay3f4n7a4mjmvd72wqntmvs9qyysgqcqzzsxqzjcsvn7e8egctsjc4yrsy5hqfff670xp9wlud6dwlkc70ll5v54wcdrmtx2uu725sne5mp3vws5ppuw260kupl2f6guxex8p92ker0f60qqm4lgk7"]]','lnbcrt13500n1p4s4t52dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5z3s6umrjum9xmrfkvvsk38uegkjm4ajeqw2nrey5t2s9ha6k8weqsp54ahq3ev409tdney3g33q9ws3nw3vqay3f4n7a4mjmvd72wqntmvs9qyysgqcqzzsxqzjcsvn7e8egctsjc4yrsy5hqfff670xp9wlud6dwlkc70ll5v54wcdrmtx2uu725sne5mp3vws5ppuw260kupl2f6guxex8p92ker0f60qqm4lgk7','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862754000,1795862754932,NULL,X'7b2270726f6d7074223a22736e6f77206f6e65222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(10,X'f265fc78be1636fb8412df890c66ab0ae6f4f606c2040cd307f5463390f8276c','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAABZOgwqMytKDiOSLk0xdRuB1sMKu35hgCzC5kz6pmtwiBn20O/X2cnxnsTkgaqIZlojMgoGi0iy1vIL4u68LBfZAAAGIN+sp5iG88xowNiOzswZYzWDqVJAD9vdrQ2zGfYTWbGb','[["macaroon","AgJCAABZOgwqMytKDiOSLk0xdRuB1sMKu35hgCzC5kz6pmtwiBn20O/X2cnxnsTkgaqIZlojMgoGi0iy1vIL4u68LBfZAAAGIN+sp5iG88xowNiOzswZYzWDqVJAD9vdrQ2zGfYTWbGb"],["invoice","lnbcrt13500n1p4s4t52dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5tyaqc23n9d9quguj9exnzagms8tvxz4m0escqtxzuex04fntwzyqsp5hvm3rq6h847j45qdeayvp254gff40fn79wzfnj8nlh6hgqfpkuls9qyysgqcqzzsxqzjcgww7le32wtjldfskyu03v2a85pw2swdhd6g8e37d3werhn3r8wfsxr4clzj6d48yqejr73n20y0ryw97dqs4syfr2pvt3sjhupsqsdsp6rxj6n"]]','lnbcrt13500n1p4s4t52dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5tyaqc23n9d9quguj9exnzagms8tvxz4m0escqtxzuex04fntwzyqsp5hvm3rq6h847j45qdeayvp254gff40fn79wzfnj8nlh6hgqfpkuls9qyysgqcqzzsxqzjcgww7le32wtjldfskyu03v2a85pw2swdhd6g8e37d3werhn3r8wfsxr4clzj6d48yqejr73n20y0ryw97dqs4syfr2pvt3sjhupsqsdsp6rxj6n','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862754000,1795862754932,NULL,X'7b2270726f6d7074223a22736e6f772074776f222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(11,X'88aa332156b0e695a85dda35e645301e170801c7931bda694010df62093c0860','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAACS5jYeXjgcH1ltd2INVoX/aKlxENz4QXJ84MFNL8kLzpRVJPlDafqv1RL3oOKIBmNzaMJq3JBg5tttYp3hnVmiAAAGIBlQ2nBjwy8L9P3KNYYE28nmKXnA1J7dFiGHvjbNV5Wv','[["macaroon","AgJCAACS5jYeXjgcH1ltd2INVoX/aKlxENz4QXJ84MFNL8kLzpRVJPlDafqv1RL3oOKIBmNzaMJq3JBg5tttYp3hnVmiAAAGIBlQ2nBjwy8L9P3KNYYE28nmKXnA1J7dFiGHvjbNV5Wv"],["invoice","lnbcrt13500n1p4s4t5tdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5jtnrv8j78qwp7ktdwa3q6459la52jugsmnuyzunuurq56t7fp08qsp5t0zwth53hd04c825g8q9hvk9urvsa6rz9x73ney2t6suaem77nys9qyysgqcqzzsxqzjc069ck64ydk4y0fpqxx2zsxf8439hzx8q5zge3tn93ydjqzze3mc9lgcl44k4xcrwq29judvf3k39xfj9htq5zrmnml4rew6mdsw7gxqqq7neyh"]]','lnbcrt13500n1p4s4t5tdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5jtnrv8j78qwp7ktdwa3q6459la52jugsmnuyzunuurq56t7fp08qsp5t0zwth53hd04c825g8q9hvk9urvsa6rz9x73ney2t6suaem77nys9qyysgqcqzzsxqzjc069ck64ydk4y0fpqxx2zsxf8439hzx8q5zge3tn93ydjqzze3mc9lgcl44k4xcrwq29judvf3k39xfj9htq5zrmnml4rew6mdsw7gxqqq7neyh','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862755000,1795862755257,NULL,X'7b2270726f6d7074223a226861696c206f6e65222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(12,X'814830ccfe18d584544a288e8967791a11882e4cb985b25afd5f547c5c7a80bd','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAACLZ+hUJ+wTo2YCRlBHpchhJ4qSHqCVhOH4yycbbN+Tv3PeYUGh7KyDwVwfSw/N0kvkxqcNx0L4xdG5zQqsGI7KAAAGIKJznyang6CitBymOjN7BT7BJpwG5JVIPuAX5q7wWkwp','[["macaroon","AgJCAACLZ+hUJ+wTo2YCRlBHpchhJ4qSHqCVhOH4yycbbN+Tv3PeYUGh7KyDwVwfSw/N0kvkxqcNx0L4xdG5zQqsGI7KAAAGIKJznyang6CitBymOjN7BT7BJpwG5JVIPuAX5q7wWkwp"],["invoice","lnbcrt13500n1p4s4t5vdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp53dn7s4p8asf6xeszgegy0fwgvync4ys75z2cfc0cevn3kmxljwlssp5g8yu0fzklhe8y3fds87hlg58je79emy6q2hyxrcdevcefrz7t8yq9qyysgqcqzzsxqzjc2h4gnfgzgl3rgynmzsxn9642pu30an09z6h8f5sl0pxz7vg2te455udru3ykumudua8dq82mqkusm5z5etftcg7p5nacced2vk5ax3gppgywl6"]]','lnbcrt13500n1p4s4t5vdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp53dn7s4p8asf6xeszgegy0fwgvync4ys75z2cfc0cevn3kmxljwlssp5g8yu0fzklhe8y3fds87hlg58je79emy6q2hyxrcdevcefrz7t8yq9qyysgqcqzzsxqzjc2h4gnfgzgl3rgynmzsxn9642pu30an09z6h8f5sl0pxz7vg2te455udru3ykumudua8dq82mqkusm5z5etftcg7p5nacced2vk5ax3gppgywl6','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862756000,1795862756575,NULL,X'7b2270726f6d7074223a226d6f6f6e206f6e65222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(13,X'42a1d2d3ddf4526ecdddea33446f2c1ea88d441320b6af61790c3c75b104a7c3','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAACAlx9s0suZBfmJksR/0Isnx/Wc+phYYm9wJmT6hC362tVfpGQEGxnwkEia3qcVi/qB8UHD0ZXOFQ5Xhb9+qMQqAAAGIFV7D7A93Cj+1uq1v5V+RD0i8ZK3O4aHSiA5KzQYoIvu','[["macaroon","AgJCAACAlx9s0suZBfmJksR/0Isnx/Wc+phYYm9wJmT6hC362tVfpGQEGxnwkEia3qcVi/qB8UHD0ZXOFQ5Xhb9+qMQqAAAGIFV7D7A93Cj+1uq1v5V+RD0i8ZK3O4aHSiA5KzQYoIvu"],["invoice","lnbcrt13500n1p4s4t50dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5szt37mxjewvst7vfjtz8l5ytylrlt886npvxymmsyej04ppdltdqsp55z6n9ajfs3wvuya8alfuq6h2gyf3msdgu5tzyhvq2gkgsqwnc82q9qyysgqcqzzsxqzjcj4xc39hgqavjchx46zuuekrayvfan7ww757zh9kz8ak5m0rn78ajhac7trudfjus0g3grsqkcm6k7y6hj27czjrw4mkth9mj0ywxqggq8w90t6"]]','lnbcrt13500n1p4s4t50dp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp5szt37mxjewvst7vfjtz8l5ytylrlt886npvxymmsyej04ppdltdqsp55z6n9ajfs3wvuya8alfuq6h2gyf3msdgu5tzyhvq2gkgsqwnc82q9qyysgqcqzzsxqzjcj4xc39hgqavjchx46zuuekrayvfan7ww757zh9kz8ak5m0rn78ajhac7trudfjus0g3grsqkcm6k7y6hj27czjrw4mkth9mj0ywxqggq8w90t6','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862759000,1795862759805,NULL,X'7b2270726f6d7074223a22776176652074776f222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
INSERT INTO intents VALUES(14,X'd1c3e04896e4bc6a27d5456cc98756e20db311316f43f15da1342ff019267d4b','POST','http://127.0.0.1:21737/api/l402/animate-image','L402','AgJCAAATPudu6ltuEy2IOA0ug14H25mMN/x3GdRcDOEWfxyfI4v4d3K0XeciYUVwYQRO1wkyhfUVF665zrDKw2F4QF5MAAAGIFlKJxMRe0AF6uTWo0zPHZezC/sROMvb/LQpBJjeTuNo','[["macaroon","AgJCAAATPudu6ltuEy2IOA0ug14H25mMN/x3GdRcDOEWfxyfI4v4d3K0XeciYUVwYQRO1wkyhfUVF665zrDKw2F4QF5MAAAGIFlKJxMRe0AF6uTWo0zPHZezC/sROMvb/LQpBJjeTuNo"],["invoice","lnbcrt5u1p4s4t50dpywdskuerzdaur5grpde5k6ct5v5kkjmtpvajspp5zvlwwmh2tdhpxtvg8qxjaq67qldenrphl3m3n4zupns3vlcunu3ssp5kxptpkwheje62270yh3xj5jrljfl6l49xvvwymxunvm6apslv8sq9qyysgqcqzzsxqzjckyf35ka4l7nwryfzljzt9jmdwd7x3acxdgdwu2t6dxpmzvsa9yusyxr7fptynwahjfup0ag6v7vy322n8hwtd9wl89tfp2z6hpz0qrgpg0hqh9"]]','lnbcrt5u1p4s4t50dpywdskuerzdaur5grpde5k6ct5v5kkjmtpvajspp5zvlwwmh2tdhpxtvg8qxjaq67qldenrphl3m3n4zupns3vlcunu3ssp5kxptpkwheje62270yh3xj5jrljfl6l49xvvwymxunvm6apslv8sq9qyysgqcqzzsxqzjckyf35ka4l7nwryfzljzt9jmdwd7x3acxdgdwu2t6dxpmzvsa9yusyxr7fptynwahjfup0ag6v7vy322n8hwtd9wl89tfp2z6hpz0qrgpg0hqh9','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862759000,1795862759805,X'9f028444fe4efed4fd42bb5997461542b8c28c71c5214c504b81d0802445b8e5',NULL);
INSERT INTO intents VALUES(15,X'ff549cede7c18e89880e20b55cbfa0702704769672bc464fcda00c45c003297e','POST','http://127.0.0.1:21737/api/l402/generate-video','L402','AgJCAABQ65LDqDfNxD7d+EA3zk5bs2FEBwwCEpf731UYrbnZgekyXW0IUB+hxECazpAmxugR84wZJMhFSX5zPN0L0admAAAGIEzMgn8iOtWjI1FKUwvwizGRt8XWe8hiTBpKDIwJD4wA','[["macaroon","AgJCAABQ65LDqDfNxD7d+EA3zk5bs2FEBwwCEpf731UYrbnZgekyXW0IUB+hxECazpAmxugR84wZJMhFSX5zPN0L0admAAAGIEzMgn8iOtWjI1FKUwvwizGRt8XWe8hiTBpKDIwJD4wA"],["invoice","lnbcrt13500n1p4s4t5jdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp52r4e9sagxlxug0kalpqr0njwtwekz3q8pspp99lmma233tdemxqssp5hffarqlrye29sjtczrfrk5a3jmvpyr2pqlvt3pkcnfyjp254as4q9qyysgqcqzzsxqzjchnfs2dn5k8j4hpa6ehp0pc8auan3mcvvkmkmeuajwzy5jalr7dc5y5w0zx9m7z5y5ukrqpj072wf6nex3cyzzmy64qre7p4h4t7nzaqp2tpdgw"]]','lnbcrt13500n1p4s4t5jdp9wdskuerzdaur5gr8v4hx2unpw3jj6anfv3jk7pp52r4e9sagxlxug0kalpqr0njwtwekz3q8pspp99lmma233tdemxqssp5hffarqlrye29sjtczrfrk5a3jmvpyr2pqlvt3pkcnfyjp254as4q9qyysgqcqzzsxqzjchnfs2dn5k8j4hpa6ehp0pc8auan3mcvvkmkmeuajwzy5jalr7dc5y5w0zx9m7z5y5ukrqpj072wf6nex3cyzzmy64qre7p4h4t7nzaqp2tpdgw','029dc27d83804b789a831a21e30a99d59faeebead1fff09d0dee19d824c4a72ae4','regtest',1795862762000,1795862762362,NULL,X'7b2270726f6d7074223a2277617665207468726565222c226475726174696f6e223a332c226d6f6465223a2270726f222c2267656e65726174655f617564696f223a66616c73657d');
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    payment INTEGER NOT NULL REFERENCES payments (id),
    kind TEXT NOT NULL CHECK (kind IN ('redeem', 'poll')),
    at INTEGER NOT NULL,
    status INTEGER NOT NULL,
    interpreted INTEGER NOT NULL DEFAULT 0 CHECK (interpreted IN (0, 1)),
    headers TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
INSERT INTO answers VALUES(1,1,'redeem',1795862150913,200,1,'[["content-type","application/json"],["content-length","73"],["date","Sat, 28 Nov 2026 10:35:50 GMT"]]',X'7b22766964656f55726c223a22687474703a2f2f3132372e302e302e313a32313733372f766964656f732f6265346237616264303730653236643133633266303531392e6d7034227d');
INSERT INTO answers VALUES(2,2,'redeem',1795862150914,200,1,'[["content-type","application/json"],["content-length","73"],["date","Sat, 28 Nov 2026 10:35:50 GMT"]]',X'7b22766964656f55726c223a22687474703a2f2f3132372e302e302e313a32313733372f766964656f732f3939326239646265373765396163626165386261303961342e6d7034227d');
INSERT INTO answers VALUES(3,3,'redeem',1795862151006,200,1,'[["content-type","application/json"],["content-length","73"],["date","Sat, 28 Nov 2026 10:35:51 GMT"]]',X'7b22766964656f55726c223a22687474703a2f2f3132372e302e302e313a32313733372f766964656f732f3336643034653536383838653836336131353063646230632e6d7034227d');
INSERT INTO answers VALUES(4,4,'redeem',1795862151095,200,1,'[["content-type","application/json"],["content-length","73"],["date","Sat, 28 Nov 2026 10:35:51 GMT"]]',X'7b22766964656f55726c223a22687474703a2f2f3132372e302e302e313a32313733372f766964656f732f3838643432343634366461323035333066303239376562312e6d7034227d');
INSERT INTO answers VALUES(5,5,'redeem',1795862151095,200,1,'[["content-type","application/json"],["content-length","73"],["date","Sat, 28 Nov 2026 10:35:51 GMT"]]',X'7b22766964656f55726c223a22687474703a2f2f3132372e302e302e313a32313733372f766964656f732f3365636234353130626563383939313535303938336638632e6d7034227d');
INSERT INTO answers VALUES(6,9,'redeem',1795862154944,400,1,'[["content-type","application/json"],["x-error-code","INVALID_INPUT"],["content-length","96"],["date","Sat, 28 Nov 2026 10:35:54 GMT"]]',X'7b226572726f72223a2274686520726571756573742069732077726f6e67222c226572726f725f636f6465223a22494e56414c49445f494e505554222c2273756767657374696f6e223a226d656e642074686520706172616d6574657273227d');
INSERT INTO answers VALUES(7,10,'redeem',1795862154946,400,1,'[["content-type","application/json"],["x-error-code","INVALID_INPUT"],["content-length","96"],["date","Sat, 28 Nov 2026 10:35:54 GMT"]]',X'7b226572726f72223a2274686520726571756573742069732077726f6e67222c226572726f725f636f6465223a22494e56414c49445f494e505554222c2273756767657374696f6e223a226d656e642074686520706172616d6574657273227d');
INSERT INTO answers VALUES(8,11,'redeem',1795862155268,502,1,'[["content-type","application/json"],["x-error-code","L402_REFUND_ISSUED"],["content-length","424"],["date","Sat, 28 Nov 2026 10:35:55 GMT"]]',X'7b226572726f72223a22746865206d6f64656c206661696c6564222c226572726f725f636f6465223a224c3430325f524546554e445f495353554544222c2273756767657374696f6e223a22636c61696d2074686520726566756e64222c22726566756e64223a7b226368617267655f6964223a2263685f39326536333631653565333831633166353936643737363230643536383566663638613937313130646366383431373237636530633134643266633930626365222c22726566756e645f616d6f756e74223a313335302c226c6e75726c5f7769746864726177223a224c4e55524c3144503638475550363955484e5a5633483943435a55565057585941525956464858564d4a374354534459484b434450535847484859455458573448584754454558464a4e5656454b58394a4e3245464e3851434b585654585835554e5645504858554d525956525958354d525344545856434d52534346455855434e5a56525956444e52534450335855455257434d395850334e5a44525958464e58585746535646334b32365836485548222c22737461747573223a2270656e64696e67227d7d');
INSERT INTO answers VALUES(9,12,'redeem',1795862156586,500,1,'[["content-type","application/json"],["x-error-code","SERVICE_ERROR"],["content-length","86"],["date","Sat, 28 Nov 2026 10:35:56 GMT"]]',X'7b226572726f72223a22736f6d657468696e672077656e742077726f6e67222c226572726f725f636f6465223a22534552564943455f4552524f52222c2273756767657374696f6e223a2274727920616761696e227d');
INSERT INTO answers VALUES(10,12,'redeem',1795862157589,500,1,'[["content-type","application/json"],["x-error-code","SERVICE_ERROR"],["content-length","86"],["date","Sat, 28 Nov 2026 10:35:57 GMT"]]',X'7b226572726f72223a22736f6d657468696e672077656e742077726f6e67222c226572726f725f636f6465223a22534552564943455f4552524f52222c2273756767657374696f6e223a2274727920616761696e227d');
CREATE TABLE refunds (
    payment INTEGER PRIMARY KEY REFERENCES payments (id),
    batch INTEGER NOT NULL REFERENCES batches (id),
    state TEXT NOT NULL CHECK (state IN ('offered', 'claimed', 'settled', 'expired')),
    link TEXT,
    offered_at INTEGER NOT NULL,
    hash BLOB UNIQUE CHECK (length(hash) = 32),
    invoice TEXT,
    amount_msat INTEGER CHECK (amount_msat > 0),
    node TEXT,
    made_at INTEGER,
    expires_at INTEGER,
    callback TEXT,
    k1 TEXT,
    handovers INTEGER NOT NULL DEFAULT 0 CHECK (handovers >= 0),
    handed_at INTEGER,
    words TEXT,
    words_at INTEGER,
    received_msat INTEGER CHECK (received_msat > 0),
    settled_at INTEGER,
    CHECK ((state = 'offered') = (hash IS NULL)),
    CHECK (hash IS NULL OR (invoice IS NOT NULL AND amount_msat IS NOT NULL AND node IS NOT NULL
        AND made_at IS NOT NULL AND expires_at IS NOT NULL AND callback IS NOT NULL AND k1 IS NOT NULL
        AND handovers > 0)),
    CHECK ((state = 'settled') = (received_msat IS NOT NULL)),
    CHECK ((received_msat IS NULL) = (settled_at IS NULL))
) STRICT;
INSERT INTO refunds VALUES(11,6,'settled','LNURL1DP68GUP69UHNZV3H9CCZUVPWXYARYVFHXVMJ7CTSDYHKCDPSXGHHYETXW4HXGTEEXFJNVVEKX9JN2EFN8QCKXVTXX5UNVEPHXUMRYVRYX5MRSDTXVCMRSCFEXUCNZVRYVDNRSDP3XUERWCM9XP3NZDRYXFNXXWFSVF3K26X6HUH',1795862155269,X'8bbd48571915e44f564fd71b172ec2f41c8545b0f23d2eede92898ecf9a77cc0','lnbcrt13500n1p4s4t5tdyywfjkvatwvssx7e3qwpshjmt9de6zqwfjv5mrxd33v56k2vecx93nze348ymxgdehxcerqep4xcur2enxxcuxzwfhxycnqerrvcurgvfhxgmkxefsvvcngepjve3njvrzvdjspp53w75s4cezhjy74j06ud3wtkz7swg23ds7g7jam0f9zvwe7d80nqqsp5t7awkcmj9z3kq0p4l5w7dhchsem52vf8xg9ms24az34dk722urus9qyysgqcqzzsxq9z0rgqh74dcmxx2aamet3lch32ppk5yau3gwuacsk9c4nne9h3ycpz3lzyklw5uz2l4fq5fn4djejq5sfsfyftkymyp78r6439veemr4m53lsqg7e387',1350000,'025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626',1795862155272,1798454155000,'http://127.0.0.1:21737/api/l402/refund/92e6361e5e381c1f596d77620d5685ff68a97110dcf841727ce0c14d2fc90bce/claim?from=sandbox','b04ebf86cd7f73fdda5ef6dcfc14f714110a15381459b2c3d5d80808ba8d6ba6',1,1795862155272,NULL,NULL,1350000,1795862156277);
CREATE TABLE transitions (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    at INTEGER NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
INSERT INTO transitions VALUES(1,1,1795862150899,'pending','running','');
INSERT INTO transitions VALUES(2,2,1795862150899,'pending','running','');
INSERT INTO transitions VALUES(3,1,1795862150910,'running','paid','');
INSERT INTO transitions VALUES(4,2,1795862150911,'running','paid','');
INSERT INTO transitions VALUES(5,1,1795862150914,'paid','delivered','');
INSERT INTO transitions VALUES(6,2,1795862150915,'paid','delivered','');
INSERT INTO transitions VALUES(7,4,1795862150995,'pending','running','');
INSERT INTO transitions VALUES(8,4,1795862151004,'running','paid','');
INSERT INTO transitions VALUES(9,4,1795862151007,'paid','delivered','');
INSERT INTO transitions VALUES(10,5,1795862151083,'pending','running','');
INSERT INTO transitions VALUES(11,6,1795862151083,'pending','running','');
INSERT INTO transitions VALUES(12,5,1795862151093,'running','paid','');
INSERT INTO transitions VALUES(13,6,1795862151093,'running','paid','');
INSERT INTO transitions VALUES(14,5,1795862151098,'paid','delivered','');
INSERT INTO transitions VALUES(15,6,1795862151098,'paid','delivered','');
INSERT INTO transitions VALUES(16,5,1795862151105,'delivered','downloaded','');
INSERT INTO transitions VALUES(17,6,1795862151210,'delivered','downloaded','');
INSERT INTO transitions VALUES(18,7,1795862151284,'pending','refused','job_limit');
INSERT INTO transitions VALUES(19,8,1795862151572,'pending','running','');
INSERT INTO transitions VALUES(20,8,1795862151581,'running','pending','payment_timeout');
INSERT INTO transitions VALUES(21,8,1795862152585,'pending','running','');
INSERT INTO transitions VALUES(22,8,1795862152596,'running','pending','payment_timeout');
INSERT INTO transitions VALUES(23,8,1795862154600,'pending','running','');
INSERT INTO transitions VALUES(24,8,1795862154612,'running','failed','payment_timeout');
INSERT INTO transitions VALUES(25,9,1795862154932,'pending','running','');
INSERT INTO transitions VALUES(26,10,1795862154932,'pending','running','');
INSERT INTO transitions VALUES(27,9,1795862154941,'running','paid','');
INSERT INTO transitions VALUES(28,10,1795862154944,'running','paid','');
INSERT INTO transitions VALUES(29,9,1795862154945,'paid','lost','invalid_input');
INSERT INTO transitions VALUES(30,10,1795862154946,'paid','lost','invalid_input');
INSERT INTO transitions VALUES(31,10,1795862155001,'lost','lost','decided');
INSERT INTO transitions VALUES(32,11,1795862155258,'pending','running','');
INSERT INTO transitions VALUES(33,11,1795862155266,'running','paid','');
INSERT INTO transitions VALUES(34,11,1795862155269,'paid','refund_offered','refund_offered');
INSERT INTO transitions VALUES(35,11,1795862155272,'refund_offered','refund_offered','refund_pending');
INSERT INTO transitions VALUES(36,11,1795862156277,'refund_offered','refunded','');
INSERT INTO transitions VALUES(37,12,1795862156575,'pending','running','');
INSERT INTO transitions VALUES(38,12,1795862156584,'running','paid','');
INSERT INTO transitions VALUES(39,12,1795862156586,'paid','paid','not_delivered');
INSERT INTO transitions VALUES(40,14,1795862159805,'pending','running','');
INSERT INTO transitions VALUES(41,13,1795862159806,'pending','running','');
INSERT INTO transitions VALUES(42,13,1795862161300,'running','in_doubt','payment_in_flight');
INSERT INTO transitions VALUES(43,14,1795862161301,'running','in_doubt','payment_in_flight');
INSERT INTO transitions VALUES(44,15,1795862162362,'pending','running','');
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    at INTEGER NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('unpaid', 'lost', 'rebuy')),
    note TEXT NOT NULL CHECK (note <> ''),
    evidence TEXT NOT NULL
) STRICT;
INSERT INTO decisions VALUES(1,10,1795862155001,'lost','given-up','no payment of it is open');
CREATE TABLE nodes (
    pubkey TEXT PRIMARY KEY,
    newest_settled BLOB NOT NULL CHECK (length(newest_settled) = 32),
    payment_index INTEGER CHECK (payment_index >= 0),
    settled_at INTEGER NOT NULL
) STRICT;
INSERT INTO nodes VALUES('025d0bc659f8244a2657b9ec15297de23b70c26f798aef7659c0be8adc0bb42626',X'8b67e85427ec13a36602465047a5c861278a921ea09584e1f8cb271b6cdf93bf',12,1795862156584);
CREATE TABLE periods (
    kind TEXT NOT NULL CHECK (kind IN ('day', 'month')),
    name TEXT NOT NULL CHECK (name <> ''),
    held_msat INTEGER NOT NULL DEFAULT 0 CHECK (held_msat >= 0),
    spent_msat INTEGER NOT NULL DEFAULT 0 CHECK (spent_msat >= 0),
    refunded_msat INTEGER NOT NULL DEFAULT 0 CHECK (refunded_msat BETWEEN 0 AND spent_msat + held_msat),
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
INSERT INTO periods VALUES('day','2026-11-28',3230000,12160215,1350000);
INSERT INTO periods VALUES('month','2026-11',3230000,12160215,1350000);
CREATE INDEX jobs_by_seq ON jobs (batch, seq);
CREATE INDEX jobs_by_state ON jobs (batch, state, seq);
CREATE INDEX jobs_by_file ON jobs (file_key) WHERE file_key IS NOT NULL;
CREATE UNIQUE INDEX payments_one_live ON payments (job) WHERE state <> 'dead';
CREATE INDEX payments_by_batch ON payments (batch);
CREATE INDEX payments_settled ON payments (node, payment_index) WHERE preimage IS NOT NULL;
CREATE INDEX payments_open ON payments (batch, job)
    WHERE (state IN ('intended', 'paid') OR (state = 'posted' AND delivered_at IS NULL));
CREATE INDEX intents_by_request ON intents (request_digest);
CREATE INDEX intents_by_body ON intents (body_sha256) WHERE body_sha256 IS NOT NULL;
CREATE INDEX answers_by_payment ON answers (payment);
CREATE INDEX refunds_by_batch ON refunds (batch);
CREATE TRIGGER refunds_have_one_invoice BEFORE UPDATE OF hash ON refunds WHEN OLD.hash IS NOT NULL
    BEGIN SELECT RAISE (ABORT, 'a refund has one invoice, ever'); END;
CREATE TRIGGER transitions_are_kept BEFORE DELETE ON transitions
    BEGIN SELECT RAISE (ABORT, 'transitions are only appended'); END;
CREATE TRIGGER transitions_stay BEFORE UPDATE ON transitions
    BEGIN SELECT RAISE (ABORT, 'transitions are only appended'); END;
COMMIT;
