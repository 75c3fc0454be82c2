-- The comments of tables and columns, as the declarations have them now.

COMMENT ON TABLE service_campaign_main IS
  'A tenant. Every other entity belongs either to a campaign or to the platform.';
COMMENT ON COLUMN service_campaign_main.slug IS
  'The name used in URLs; unique, and cannot be changed.';
COMMENT ON COLUMN service_campaign_main.dedicated IS
  'Whether the campaign has its own partitions.';
COMMENT ON COLUMN service_campaign_main.owner_id IS
  'The user responsible for the campaign.';

COMMENT ON TABLE service_content_comment IS
  'A comment on a piece of content.';
COMMENT ON COLUMN service_content_comment.reply_to_id IS
  'The comment that this comment replies to.';

COMMENT ON COLUMN service_content_main.slug IS
  'The name used in URLs; unique in the campaign.';
COMMENT ON COLUMN service_content_main.author_id IS
  'The user who wrote the content.';
COMMENT ON COLUMN service_content_main.parent_id IS
  'The content that this content belongs to.';

COMMENT ON TABLE service_content_reaction IS
  'A user''s reaction to a piece of content. A user can add each kind of reaction once.';

COMMENT ON TABLE service_operation_main IS
  'Long-running work, with its progress and its result. Its first event records who started it.';
COMMENT ON COLUMN service_operation_main.kind IS
  'The method that was called, for example contents_export.';
COMMENT ON COLUMN service_operation_main.request_digest IS
  'SHA-256 digest of the request.';
COMMENT ON COLUMN service_operation_main.done IS
  'Progress so far, in the method''s own unit. Progress does not emit events.';
COMMENT ON COLUMN service_operation_main.total IS
  'The total amount of work, if known.';
COMMENT ON COLUMN service_operation_main.result IS
  'The result. For a cancelled operation, what had been done until then.';
COMMENT ON COLUMN service_operation_main.error IS
  'Why the operation failed.';

COMMENT ON TABLE service_product_main IS
  'A product that a campaign offers.';
COMMENT ON COLUMN service_product_main.default_variant_id IS
  'The variant shown first; set by calling :make_default on the variant.';

COMMENT ON TABLE service_product_variant IS
  'A sellable variant of a product, with its own SKU, price and stock.';
COMMENT ON COLUMN service_product_variant.sku IS
  'Stock-keeping unit (SKU); unique in the campaign.';
COMMENT ON COLUMN service_product_variant.price IS
  'The price in major units of the currency, for example 9.90 for EUR 9.90.';
COMMENT ON COLUMN service_product_variant.currency IS
  'ISO 4217 currency code.';
COMMENT ON COLUMN service_product_variant.stock IS
  'Quantity available for sale; changed by :restock, :reserve and :release.';
COMMENT ON COLUMN service_product_variant.reserved IS
  'Quantity reserved and not yet taken.';

COMMENT ON TABLE service_quotes_main IS
  'A price offered for a limited time.';
COMMENT ON COLUMN service_quotes_main.amount IS
  'The amount in major units of the currency, for example 9.90 for EUR 9.90.';
COMMENT ON COLUMN service_quotes_main.currency IS
  'ISO 4217 currency code.';
COMMENT ON COLUMN service_quotes_main.user_id IS
  'The user the quote is for.';

COMMENT ON COLUMN service_user_master.username IS
  'Letters, digits, dots and underscores. Unique regardless of case.';
COMMENT ON COLUMN service_user_master.password_hash IS
  'At least one upper case letter, one lower case letter, one digit and one symbol. Never returned.';
COMMENT ON COLUMN service_user_master.language IS
  'BCP 47 language tag.';
COMMENT ON COLUMN service_user_master.timezone IS
  'IANA time zone name.';
