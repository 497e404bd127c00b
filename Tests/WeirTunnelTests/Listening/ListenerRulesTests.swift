import Testing

@testable import WeirTunnel

@Suite("Who may come to a listener")
struct ListenerRulesTests {
    @Test(
        "ranges are read as operators write them",
        arguments: [
            ("10.0.0.0/8", "10.200.3.4", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true), ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false), ("::1", "::1", true), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("fe80::/10", "fe80::1%eth0", true), ("2001:db8::a00:1", "2001:db8::10.0.0.1", true),
        ])
    func ranges(range: String, address: String, isIn: Bool) throws {
        let range = try #require(AddressRange(range))
        let address = try #require(AddressBits(address))
        #expect(range.contains(address) == isIn)
    }

    @Test(
        "what is no range is refused",
        arguments: [
            "", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0", "010.0.0.1", "1.2.3.256",
            "2001:db8::/129",
            "2001:db8::1/32", "1::2::3", ":::", "1:2:3:4:5:6:7:8:9", "g::1", "example.org", "10.0.0.0/8/8",
            "1:2:3:4:5:6:7",
        ])
    func noRanges(text: String) { #expect(AddressRange(text) == nil) }

    private let near = AddressBits("10.0.0.9")
    private let far = AddressBits("203.0.113.9")

    @Test("addresses, then the hub's limit, the listener's, the connector's, the client's; each place is given back")
    func limits() throws {
        var office = ListenerRules.Limits()
        office.allow = [try #require(AddressRange("10.0.0.0/8"))]
        office.connectionsMost = 2
        var open = ListenerRules.Limits()
        open.perClientMost = 1
        var rules = ListenerRules([office, open], totalMost: 4, connectorMost: ["db": 1])
        #expect(throws: ListenerRules.Refusal.address) { try rules.enter(0, connector: "ad", from: far) }
        #expect(throws: ListenerRules.Refusal.address) { try rules.enter(0, connector: "ad", from: nil) }
        let first = try rules.enter(0, connector: "ad", from: near)
        _ = try rules.enter(0, connector: "ad", from: near)
        #expect(throws: ListenerRules.Refusal.listenerLimit) { try rules.enter(0, connector: "ad", from: near) }
        #expect(rules.fullness(of: "ad", at: [0]) == .listenerLimit && rules.fullness(of: "ad", at: [0, 1]) == nil)
        #expect(rules.fullness(of: "db", at: [1]) == nil)
        let client = try rules.enter(1, connector: "db", from: far)
        #expect(throws: ListenerRules.Refusal.connectorLimit) { try rules.enter(1, connector: "db", from: near) }
        #expect(rules.fullness(of: "db", at: [1]) == .connectorLimit)
        #expect(throws: ListenerRules.Refusal.clientLimit) { try rules.enter(1, connector: "ad", from: far) }
        _ = try rules.enter(1, connector: "ad", from: near)
        #expect(throws: ListenerRules.Refusal.hubLimit) { try rules.enter(1, connector: "ad", from: nil) }
        #expect(rules.fullness(of: "ad", at: [1]) == .hubLimit && rules.fullness(of: "none", at: []) == .hubLimit)
        rules.leave(first)
        rules.leave(client)
        #expect(rules.total == 2 && rules.count(of: 0) == 1)
        _ = try rules.enter(1, connector: "db", from: far)
    }
}
