package import WeirSettings

/// One entry of a list of addresses: where, and its share of the load.
package struct WeightedAddress: Settings, Hashable {
    package var address = ""
    package var weight = 1

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "address", \.address, required: true, check: { NetworkAddress($0) == nil ? NetworkAddress.wanted : nil },
            examples: ["10.0.0.7:9000"], "Host and port."),
        field("weight", \.weight, range: 0...1_000, "Share of the load, relative to the others; 0 is never used."),
    ]
}
