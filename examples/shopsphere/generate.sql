-- Fills the schema on the server: 500,000 rows at scale 1, the same for the same seed. psql -v scale=1 -v seed=1 -f generate.sql
\set ON_ERROR_STOP on
SET session_replication_role = replica;  -- what is generated fits; no trigger has to look at each row
SET search_path = shop;
SET synchronous_commit = on;
SELECT (40000 * :scale)::int AS customers, (90000 * :scale)::int AS orders, (180000 * :scale)::int AS items, (80000 * :scale)::int AS payments,
       (10000 * :scale)::int AS events, (5000 * :scale)::int AS documents, (10000 * :scale)::int AS skus, (40000 * :scale)::int AS movements,
       (4840 * :scale)::int AS reservations \gset

BEGIN;
INSERT INTO currencies SELECT 'C' || lpad(n::text, 3, '0'), 'Currency ' || n, 0.5 + n / 100.0, now() FROM generate_series(1, 159) n
  UNION ALL SELECT 'EUR', 'Euro', 1, now();
INSERT INTO customers (id, email, name, preferences, created_at)
  SELECT n, 'customer' || n || '@example.org', 'Customer ' || md5(:'seed' || n), jsonb_build_object('newsletter', n % 3 = 0, 'language', 'l' || n % 7),
         now() - (n % 1000) * interval '1 hour' FROM generate_series(1, :customers) n;
INSERT INTO customer_addresses (id, customer_id, kind, lines, city, postcode)
  SELECT n, n, (ARRAY['home', 'work', 'pickup']::address_kind[])[1 + n % 3], ARRAY['Street ' || n % 977, 'Floor ' || n % 9], 'City ' || n % 311,
         lpad((n % 99991)::text, 5, '0') FROM generate_series(1, :customers) n;
COMMIT;

BEGIN;
INSERT INTO inventory (sku, warehouse, price, attributes)
  SELECT 'SKU-' || lpad(n::text, 7, '0'), n % 12, 1 + (n % 900) / 10.0, jsonb_build_object('colour', 'c' || n % 17, 'legacy', 0)
  FROM generate_series(1, :skus) n;
INSERT INTO stock_movements (id, sku, delta, reason, moved_at)
  SELECT n, 'SKU-' || lpad((1 + n % :skus)::text, 7, '0'), 0, 'opening', now() - (n % 5000) * interval '1 minute'
  FROM generate_series(1, :movements) n;
INSERT INTO reservations (id, sku, quantity, expires_at)
  SELECT md5(:'seed' || 'r' || n)::uuid, 'SKU-' || lpad((1 + n % :skus)::text, 7, '0'), 1 + n % 4, now() + interval '1 day'
  FROM generate_series(1, :reservations) n;
COMMIT;

BEGIN;
INSERT INTO orders (id, customer_id, reference, state, net, tags, note, placed_at)
  SELECT n, 1 + n % :customers, md5(:'seed' || 'o' || n)::uuid, (ARRAY['placed', 'paid', 'shipped', 'cancelled']::order_state[])[1 + n % 4],
         (n % 50000) / 100.0, ARRAY['t' || n % 5, 'web'], CASE WHEN n % 3 = 0 THEN 'note ' || n END, now() - (n % 100000) * interval '1 minute'
  FROM generate_series(1, :orders) n;
INSERT INTO order_items (id, order_id, customer_id, sku, quantity, price) OVERRIDING SYSTEM VALUE
  SELECT n, 1 + n % :orders, 1 + (1 + n % :orders) % :customers, 'SKU-' || lpad((1 + n % :skus)::text, 7, '0'), 1 + n % 5, (n % 9000) / 100.0
  FROM generate_series(1, :items) n;
INSERT INTO payments (id, created_at, order_id, customer_id, amount, method, details)
  SELECT n, now() - (n % 100000) * interval '1 minute', n, 1 + n % :customers, (n % 50000) / 100.0, 'card', jsonb_build_object('provider', 'p' || n % 4)
  FROM generate_series(1, :payments) n;
INSERT INTO outbox_events (id, customer_id, topic, payload, processed_at)
  SELECT n, 1 + n % :customers, 'order-placed', jsonb_build_object('order', n), now() FROM generate_series(1, :events) n;
INSERT INTO order_documents (id, customer_id, document, checksum)
  SELECT n, 1 + n % :customers, jsonb_build_object('op', 0, 'body', body), decode(md5(body), 'hex')
  FROM generate_series(1, :documents) n,
       LATERAL (SELECT string_agg(md5(:'seed' || n || '/' || part), '') AS body FROM generate_series(1, 80) part) generated;
COMMIT;

-- The next id of each table is the first multiple of 64 past what is there.
SELECT setval(pg_get_serial_sequence(format('shop.%I', held.name), 'id'), (held.newest / 64 + 1) * 64, false)
FROM (SELECT 'customers', max(id) FROM customers UNION ALL SELECT 'customer_addresses', max(id) FROM customer_addresses
      UNION ALL SELECT 'orders', max(id) FROM orders UNION ALL SELECT 'order_items', max(id) FROM order_items
      UNION ALL SELECT 'payments', max(id) FROM payments UNION ALL SELECT 'outbox_events', max(id) FROM outbox_events
      UNION ALL SELECT 'order_documents', max(id) FROM order_documents
      UNION ALL SELECT 'stock_movements', max(id) FROM stock_movements) AS held (name, newest);
ANALYZE;
