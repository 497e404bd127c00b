/// A destination that owns other destinations, as a pure description; WeirDelivery has the machinery and the node puts it together.
package enum ComposedPlan: Sendable {}
