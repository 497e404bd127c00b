import WeirFlow
import WeirGates
import WeirWorld

/// One endpoint as the chain knows it: its destination, its breaker, its limit.
struct Endpoint: Sendable {
    /// Stable for its life.
    let id: Int
    let name: String
    /// Index in the plan, and the address when the host was looked up.
    let plan: Int
    let address: String?
    let weight: Int
    let destination: any Destination
    var breaker: Breaker
    var limit: AdaptiveLimit
    var inFlight = 0
    var needsOpen = true
    var isOpening = false
    /// No longer among the addresses; goes when nothing is in flight.
    var isRetired = false
    /// Was at its limit when more was wanted; forgotten when nothing is in flight.
    var wasBlocked = false
    var sentEvents: UInt64 = 0
    var trouble: Reason?

    init(
        id: Int, name: String, plan: Int, address: String?, weight: Int, destination: any Destination, backoff: Backoff,
        concurrency: Int
    ) {
        self.id = id
        self.name = name
        self.plan = plan
        self.address = address
        self.weight = weight
        self.destination = destination
        breaker = Breaker(backoff: backoff)
        limit = AdaptiveLimit(most: concurrency)
    }

    /// True while nothing but a probe may go there. An endpoint whose rest is over and that need not be opened is only
    /// in trouble for somebody who has something to send.
    func isTroubled(hasWork: Bool) -> Bool {
        switch breaker.state {
        case .closed: false
        case .open: true
        case .halfOpen(let isProbing, _): isProbing || needsOpen || hasWork
        }
    }
}
