import Testing
import WeirDelivery
import WeirGates
import WeirWorld

@Suite("When the disk queue engages")
struct SpillStateTests {
    private let trouble = Reason("http_503", "It answered 503.")

    private func seen(
        trouble: Reason? = nil, held: Bool = false, fill: Double = 0, empty: Bool = true
    ) -> SpillState.Seen {
        SpillState.Seen(trouble: trouble, isHeld: held, fill: fill, isDiskEmpty: empty)
    }

    @Test("Mode error engages with the first failure, not when the receiver is only slow")
    func error() {
        var spill = SpillState(mode: .error)
        equal(spill.observe(seen(held: true, fill: 1), at: .zero), nil)
        equal(spill.observe(seen(held: true, fill: 1), at: .zero + .seconds(3_600)), nil)
        equal(spill.observe(seen(trouble: trouble), at: .zero), .engaged(trouble))
        equal(spill.observe(seen(trouble: trouble), at: .zero), nil, "said once")
        equal(spill.observe(seen(empty: false), at: .zero), nil, "the disk is not empty yet")
        equal(spill.observe(seen(trouble: trouble, empty: true), at: .zero), nil, "the receiver is not well")
        equal(spill.observe(seen(), at: .zero), .cleared)
        #expect(!spill.isEngaged)
    }

    @Test("Mode backpressure engages after it was held for 30 s without a pause, and with a failure at once")
    func backpressure() {
        var spill = SpillState(mode: .backpressure, after: .seconds(30))
        equal(spill.observe(seen(held: true), at: .zero), nil)
        #expect(spill.engagesAt == .zero + .seconds(30))
        equal(spill.observe(seen(held: true), at: .zero + .seconds(29)), nil)
        equal(spill.observe(seen(), at: .zero + .seconds(29)), nil)
        #expect(spill.engagesAt == nil, "room in between starts the time again")
        equal(spill.observe(seen(held: true), at: .zero + .seconds(40)), nil)
        equal(spill.observe(seen(held: true), at: .zero + .seconds(70))?.code, "held_too_long")
        var other = SpillState(mode: .backpressure)
        equal(other.observe(seen(trouble: trouble), at: .zero), .engaged(trouble))
    }

    @Test("Mode always is engaged from the start and never clears")
    func always() {
        var spill = SpillState(mode: .always)
        #expect(spill.isEngaged)
        equal(spill.observe(seen(), at: .zero), nil)
        #expect(spill.isEngaged)
    }

    @Test("Mode smart engages at 90 % of the buffer and returns below 70 % once the disk is empty")
    func smart() {
        var spill = SpillState(mode: .smart)
        equal(spill.observe(seen(trouble: trouble, fill: 0.89), at: .zero), nil)
        equal(spill.observe(seen(fill: 0.9), at: .zero)?.code, "queue_threshold")
        equal(spill.observe(seen(fill: 0.1, empty: false), at: .zero), nil)
        equal(spill.observe(seen(fill: 0.7), at: .zero), nil)
        equal(spill.observe(seen(fill: 0.69), at: .zero), .cleared)
    }

    @Test("What an earlier run left on disk engages it in every mode", arguments: DiskQueueSettings.Mode.allCases)
    func recovered(_ mode: DiskQueueSettings.Mode) {
        var spill = SpillState(mode: mode)
        spill.recovered()
        #expect(spill.isEngaged)
        equal(spill.observe(seen(empty: false), at: .zero), nil)
        let change = spill.observe(seen(), at: .zero)
        #expect(change == (mode == .always ? nil : .cleared))
    }
}

extension SpillState.Change {
    fileprivate var code: String? { if case .engaged(let reason) = self { reason.code } else { nil } }
}
