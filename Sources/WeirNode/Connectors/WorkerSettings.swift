import WeirConnectors
package import WeirSettings

/// What the workers do for one connector: its share of them while others have something to deliver too, and their
/// patience.
package struct WorkerSettings: Settings {
    package var weight = 1.0
    package var priority = 0
    package var attemptsMost = ConnectorsSettings().attemptsMost

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "weight", \.weight, range: 0.01...100,
            "Its share of the workers beside other connectors: one with 2 is delivered twice as fast as one "
                + "with 1, as long as both have something to deliver."),
        field(
            "priority", \.priority, range: -2...2,
            "Each step is a share sixteen times as large: what it brings goes before what others bring."),
        field(
            "max_attempts", \.attemptsMost, range: 1...1_000,
            "How often a bundle whose file cannot be read from disk is tried, with pauses up to 30 s, before it is a "
                + "dead letter. Content that cannot be unpacked is one at once."),
    ]
}
