-- Flink's side of bench/run peers: order_count and total_revenue per product of plain JSON sales, checkpoints each second, exactly
-- once. State lies on the heap, for it fits; rows are gathered for a second before they go out, in two phases, as Flink's own page on
-- tuning of SQL advises.
SET 'parallelism.default' = '2';
SET 'taskmanager.numberOfTaskSlots' = '2';
SET 'execution.checkpointing.interval' = '1s';
SET 'execution.checkpointing.mode' = 'EXACTLY_ONCE';
SET 'execution.checkpointing.dir' = 'file://${folder}/checkpoints';
SET 'state.backend.type' = 'hashmap';
SET 'pipeline.object-reuse' = 'true';
SET 'table.exec.mini-batch.enabled' = 'true';
SET 'table.exec.mini-batch.allow-latency' = '1s';
SET 'table.exec.mini-batch.size' = '50000';
SET 'table.optimizer.agg-phase-strategy' = 'TWO_PHASE';

CREATE TABLE sales (
  product_id STRING,
  quantity INT,
  unit_price DECIMAL(10, 2)
) WITH (
  'connector' = 'kafka',
  'topic' = '${topic}',
  'properties.bootstrap.servers' = '${bootstrap}',
  'properties.group.id' = '${group}',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE totals (
  product_id STRING,
  order_count BIGINT,
  total_revenue DECIMAL(38, 2),
  PRIMARY KEY (product_id) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = '${out}',
  'properties.bootstrap.servers' = '${bootstrap}',
  'key.format' = 'raw',
  'value.format' = 'json',
  'value.json.encode.decimal-as-plain-number' = 'true',
  'sink.buffer-flush.max-rows' = '20000',
  'sink.buffer-flush.interval' = '1s'
);

INSERT INTO totals
SELECT product_id, COUNT(*), SUM(quantity * unit_price) FROM sales GROUP BY product_id;
