/// Why the platform did not do what it was asked for.
public struct PlatformFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// It could not be reached, or did not answer in time.
        case unreachable
        /// It answered with a status other than 200.
        case status(Int)
        /// It understood, and refused; with the name of the error where it has one.
        case refused(name: String?)
        /// What it answered makes no sense.
        case nonsense
    }

    public let kind: Kind
    /// What happened and what to do.
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// The same may go well a little later.
    var isPassing: Bool {
        switch kind {
        case .unreachable: true
        case .status(let status): [408, 429, 500, 502, 503, 504].contains(status)
        case .refused, .nonsense: false
        }
    }
}
