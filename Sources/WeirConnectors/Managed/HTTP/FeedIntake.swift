import NIOCore
import WeirExpressions
import WeirGates

/// What becomes of the text of a run's pages: events that are wanted, to the outlet, and what is remembered.
struct FeedIntake {
    let expressions: FeedExpressions
    var state: FeedState
    /// Of this page: events, taken or not.
    private(set) var items = 0
    private let settings: HTTPConnectorSettings
    private let outlet: EventOutlet
    private var body: FeedBody
    private var bytes: Int64 = 0
    private var hasher = Hasher()

    init(
        _ expressions: FeedExpressions, _ settings: HTTPConnectorSettings, _ state: FeedState, _ outlet: EventOutlet
    ) {
        self.expressions = expressions
        self.settings = settings
        self.state = state
        self.outlet = outlet
        body = FeedBody(settings)
    }

    /// Values of this page that the next one is found by.
    var notes: [String: String] { body.notes }
    /// Tells the events of this page from those of another.
    var mark: Int { hasher.finalize() }
    var bytesLeft: ByteCount { ByteCount(max(0, settings.sizeMost.bytes - bytes)) }

    mutating func beginPage() {
        body = FeedBody(settings)
        items = 0
        hasher = Hasher()
    }

    /// Takes a part of the page's text; suspends while the connector's gate holds it back.
    mutating func take(_ text: ByteBuffer) async throws {
        bytes += Int64(text.readableBytes)
        guard bytes <= settings.sizeMost.bytes else {
            throw BundleMistake(
                "too_large", "The run's answers are larger than \(settings.sizeMost.shortText) (`size_most`).")
        }
        try body.feed(text)
        try await hand()
    }

    /// - Parameter mayBeEmpty: no document is expected.
    mutating func endPage(mayBeEmpty: Bool) async throws {
        if !mayBeEmpty { try body.finish() }
        try await hand()
    }

    private mutating func hand() async throws {
        let taken = body.takeLines()
        if taken.count == 0 { return }
        items += taken.count
        taken.lines.withUnsafeReadableBytes { hasher.combine(bytes: $0) }
        let kept = try expressions.fold(taken.lines, count: taken.count, state: &state.state)
        try await outlet.write(kept.lines, count: kept.count)
    }
}
