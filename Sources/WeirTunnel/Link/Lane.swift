/// A stream on its link: who stands at its end, and whether it is in line to send.
final class Lane {
    let id: UInt32
    var end: any StreamEnd
    /// In `Link.ready`.
    var isReady = false

    init(_ id: UInt32, _ end: any StreamEnd) {
        self.id = id
        self.end = end
    }
}
