CREATE SCHEMA store;
CREATE TABLE store.customers (customer_id bigint PRIMARY KEY, name text NOT NULL, owes bigint NOT NULL DEFAULT 0);
CREATE TABLE store.orders (customer_id bigint NOT NULL REFERENCES store.customers, order_id bigint, state text NOT NULL DEFAULT 'placed',
  total bigint NOT NULL DEFAULT 0, placed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (customer_id, order_id));
CREATE TABLE store.lines (customer_id bigint, order_id bigint, line int, sku text NOT NULL, price bigint NOT NULL,
  PRIMARY KEY (customer_id, order_id, line), FOREIGN KEY (customer_id, order_id) REFERENCES store.orders ON DELETE CASCADE);
CREATE TABLE store.coupons (customer_id bigint, code text, PRIMARY KEY (customer_id, code));

-- Adds the lines up, and what the customer owes with it.
CREATE FUNCTION store.charge(p_customer bigint, p_order bigint, p_discount bigint) RETURNS bigint LANGUAGE plpgsql SET search_path = store AS $$
DECLARE due bigint; owed bigint;
BEGIN
  SELECT sum(price) * (100 - p_discount) / 100 INTO due FROM lines WHERE customer_id = p_customer AND order_id = p_order;
  UPDATE orders SET total = due WHERE customer_id = p_customer AND order_id = p_order;
  UPDATE customers SET owes = owes + due WHERE customer_id = p_customer RETURNING owes INTO owed;
  RETURN owed;
END $$;

INSERT INTO store.customers SELECT i, 'customer ' || i FROM generate_series(1, 40) i;
