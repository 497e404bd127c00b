internal import NIOCore
internal import WeirWorld

/// What one direction of a connection may carry now, at its bandwidth limits. On one event loop.
final class RateLeave {
    private let gates: [BandwidthGate]
    private let pieceMost: Int
    /// Reserved and not used, in bytes. Zero until it is asked for; while `leave` gives nothing, still to come.
    private(set) var left = 0
    private var timer: Scheduled<Void>?

    /// - Parameter gates: not empty.
    init(_ gates: [BandwidthGate]) {
        self.gates = gates
        pieceMost = gates.map(\.pieceMost).min() ?? 1
    }

    /// How much of `wanted` may go now; zero: `resume` is called when more may.
    func leave(for wanted: Int, on loop: any EventLoop, resume: @escaping () -> Void) -> Int {
        guard timer == nil, wanted > 0 else { return 0 }
        if left == 0 {
            let piece = min(wanted, pieceMost)
            let now = Moment(loop.now)
            let time = gates.map { $0.reserve(piece, at: now) }.max() ?? now
            left = piece
            guard time <= now else {
                timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds((time - now).nanoseconds)) { [weak self] in
                    self?.timer = nil
                    resume()
                }
                return 0
            }
        }
        return min(left, wanted)
    }

    func used(_ bytes: Int) { left -= bytes }

    func end() {
        timer?.cancel()
        timer = nil
    }
}
