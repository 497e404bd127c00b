import Testing
import WeirDelivery
import WeirWorld

@Suite("The balancer")
struct BalancerTests {
    private let start = Moment(nanoseconds: 0)

    private func spread(_ amount: Int, over balancer: inout Balancer, at now: Moment) -> [Int: Int] {
        var shares: [Int: Int] = [:]
        for _ in 0..<amount {
            guard let chosen = balancer.choose(at: now, { _ in .ready }) else { break }
            balancer.sent(1, to: chosen)
            shares[chosen, default: 0] += 1
        }
        return shares
    }

    @Test("Cribl's first worked example: 120 and 80 of 200 carry 60 and 40, and the next 200 are shared 90 and 110")
    func equalWeights() {
        var balancer = Balancer()
        balancer.set([(0, 1), (1, 1)])
        balancer.turn(at: start)
        balancer.sent(120, to: 0)
        balancer.sent(80, to: 1)
        let next = start + .seconds(300)
        balancer.turn(at: next)
        #expect(balancer.members.map(\.sent) == [60, 40])
        equal(spread(200, over: &balancer, at: next), [0: 90, 1: 110])
    }

    @Test(
        "Cribl's second example: weights 1, 2, 7 with 30, 50, 120 carry 15, 25, 60; the next 200 give 15, 35, 150"
    )
    func unequalWeights() {
        var balancer = Balancer()
        balancer.set([(0, 1), (1, 2), (2, 7)])
        balancer.turn(at: start)
        for (id, sent) in [30, 50, 120].enumerated() { balancer.sent(sent, to: id) }
        let next = start + .seconds(300)
        balancer.turn(at: next)
        #expect(balancer.members.map(\.sent) == [15, 25, 60])
        equal(spread(200, over: &balancer, at: next), [0: 15, 1: 35, 2: 150])
    }

    @Test("A member with weight 0 is never used")
    func weightZero() {
        var balancer = Balancer()
        balancer.set([(0, 0), (1, 1)])
        equal(spread(50, over: &balancer, at: start), [1: 50])
        balancer.set([(0, 0)])
        equal(balancer.choose(at: start) { _ in .ready }, nil)
    }

    @Test("A blocked member's weight counts 10 % less")
    func blocked() {
        var balancer = Balancer()
        balancer.set([(0, 10), (1, 10)])
        balancer.sent(90, to: 0)
        balancer.sent(95, to: 1)
        equal(balancer.choose(at: start) { _ in .ready }, 0)
        // 90 / 9 is more than 95 / 10.
        equal(balancer.choose(at: start) { $0 == 0 ? .blocked : .ready }, 1)
    }

    @Test("A member that is away is passed over, and gets its share when it is back")
    func away() {
        var balancer = Balancer()
        balancer.set([(0, 1), (1, 1)])
        for _ in 0..<10 {
            let chosen = balancer.choose(at: start) { $0 == 0 ? .away : .ready }
            #expect(chosen == 1)
            balancer.sent(1, to: 1)
        }
        equal(balancer.choose(at: start) { _ in .ready }, 0)
        equal(balancer.choose(at: start) { _ in .away }, nil)
    }

    @Test("A new member begins at the lowest load of the others, so that it is not flooded")
    func newcomer() {
        var balancer = Balancer()
        balancer.set([(0, 1), (1, 1)])
        balancer.sent(1_000, to: 0)
        balancer.sent(900, to: 1)
        balancer.set([(0, 1), (1, 1), (2, 2)])
        #expect(balancer.members.map(\.sent) == [1_000, 900, 1_800])
    }

    @Test("Over 10,000 batches the weights hold within 5 %", arguments: [[1, 1], [1, 2, 7], [5, 1, 1, 3]])
    func weightsHold(_ weights: [Int]) {
        var balancer = Balancer()
        balancer.set(weights.enumerated().map { ($0.offset, $0.element) })
        var random = SplitMix(seed: 7)
        var sent = [Int](repeating: 0, count: weights.count)
        var now = start
        for _ in 0..<10_000 {
            let size = 1 + Int(random.next() % 1_000)
            guard let chosen = balancer.choose(at: now, { _ in .ready }) else { continue }
            balancer.sent(size, to: chosen)
            sent[chosen] += size
            now = now + .milliseconds(100)
        }
        let total = Double(sent.reduce(0, +))
        let weight = Double(weights.reduce(0, +))
        for (place, amount) in sent.enumerated() {
            let share = Double(amount) / total
            let wanted = Double(weights[place]) / weight
            #expect(abs(share - wanted) / wanted < 0.05)
        }
    }

    @Test("After many windows without a word nothing is carried any more")
    func longSilence() {
        var balancer = Balancer()
        balancer.set([(0, 1)])
        balancer.turn(at: start)
        balancer.sent(1_000_000, to: 0)
        balancer.turn(at: start + .seconds(300 * 100))
        #expect(balancer.members[0].sent < 1)
    }
}
