import Synchronization
import WeirIdentity
import WeirWorld

/// An engine that holds what a test says, and keeps what was decided.
final class ScriptedService: IdentityService {
    struct State: Sendable {
        var rules: [RuleView] = []
        var actions: [ActionView] = []
        var orders: [DecisionOrder] = []
        var holdReason = ActionReason.volume
    }

    let state: Mutex<State>
    let now: WallTime

    init(now: WallTime, rules: [Rule], actions: [ActionView]) {
        self.now = now
        var state = State()
        state.rules = rules.map(RuleView.init)
        state.actions = actions
        self.state = Mutex(state)
    }

    var orders: [DecisionOrder] { state.withLock { $0.orders } }

    static func action(
        _ id: String, run: String = "run1", rule: String = "titles", who: String = "Anna", isVIP: Bool = false,
        created: WallTime, expires: WallTime
    ) -> ActionView {
        let change = Change(
            operation: .modify, target: ObjectKind(silo: "ad"), anchor: id, name: "uid=\(id)",
            edits: [Change.Edit(attribute: "title", removes: ["Clerk"], adds: ["Manager"], isReplaced: true)])
        return ActionView(
            id: id, sync: run, rule: rule, identity: "i-\(id)", label: who, state: .suspended,
            reason: isVIP ? .vip : .volume, isVIP: isVIP, changes: [change], fingerprint: "fp-\(id)", created: created,
            expires: expires)
    }

    func silos() async -> [SiloView] { [] }
    func rules() async -> [RuleView] { state.withLock { $0.rules } }
    func syncs(_ page: PageRequest) async throws -> Page<SyncView> { Page(items: [], total: 0, next: nil) }
    func sync(_ id: String) async throws -> SyncView? { nil }
    func triggers(
        sync: String, rule: String?, outcome: TriggerOutcome?, _ page: PageRequest
    ) async throws -> Page<TriggerView> { Page(items: [], total: 0, next: nil) }

    func holds() async throws -> [HoldView] {
        state.withLock { state in
            let open = state.actions.filter { $0.state == .suspended }
            var keys: [String] = []
            for action in open where !keys.contains("\(action.sync) \(action.rule)") {
                keys.append("\(action.sync) \(action.rule)")
            }
            return keys.map { key in
                let mine = open.filter { "\($0.sync) \($0.rule)" == key }
                return HoldView(
                    sync: mine[0].sync, rule: mine[0].rule, at: mine[0].created, reason: state.holdReason,
                    suspended: mine.count, vip: mine.count(where: \.isVIP), limit: 1, base: 20, lookback: 0,
                    expires: mine[0].expires, onExpiry: .clear,
                    digest: mine.map(\.fingerprint).joined(separator: "+"))
            }
        }
    }

    func actions(_ filter: ActionFilter, _ page: PageRequest) async throws -> Page<ActionView> {
        state.withLock { state in
            let found = state.actions.filter { action in
                filter.states.contains(action.state) && (filter.sync == nil || action.sync == filter.sync)
                    && (filter.rule == nil || action.rule == filter.rule)
                    && (filter.reason == nil || action.reason == filter.reason)
            }
            let start = page.after.flatMap { after in found.firstIndex { $0.id == after } }.map { $0 + 1 } ?? 0
            let items = Array(found.dropFirst(start).prefix(page.count))
            let hasMore = start + items.count < found.count
            return Page(items: items, total: found.count, next: hasMore ? items.last?.id : nil)
        }
    }

    func action(_ id: String) async throws -> ActionView? { state.withLock { $0.actions.first { $0.id == id } } }
    func identities(matching text: String, _ page: PageRequest) async throws -> Page<IdentitySummary> {
        Page(items: [], total: 0, next: nil)
    }
    func identity(_ id: String) async throws -> IdentityView? { nil }
    func scan(silo: String?, full: Bool) async throws(IdentityRefusal) -> [ScanView] { [] }
    func acceptScan(_ id: String, by person: Person, reason: String) async throws(IdentityRefusal) {}
    func sync(
        _ request: SyncRequest, progress: @Sendable (SyncProgress) -> Void
    ) async throws(IdentityRefusal) -> SyncView { SyncView(id: "s", request: request, began: now) }
    func running() async -> SyncProgress? { nil }

    func decide(_ order: DecisionOrder) async throws(IdentityRefusal) -> DecisionResult {
        let now = now
        return state.withLock { state in
            var changed = 0
            for index in state.actions.indices where state.actions[index].state == .suspended {
                let action = state.actions[index]
                switch order.which {
                case .action(let id): guard action.id == id else { continue }
                case .hold(let run, let rule, let exceptVIP):
                    guard action.sync == run, action.rule == rule, !(exceptVIP && action.isVIP) else { continue }
                }
                state.actions[index].state = order.verb == .approve ? .approved : .rejected
                state.actions[index].decidedBy = order.person
                state.actions[index].decidedAt = now
                changed += 1
            }
            if changed > 0 { state.orders.append(order) }
            return DecisionResult(changed: changed, already: changed == 0 ? 1 : 0, text: "")
        }
    }

    func issueOverride(_ order: OverrideOrder) async throws(IdentityRefusal) -> OverrideView {
        throw IdentityRefusal(.notAllowed, code: "no", text: "no")
    }
    func overrides() async -> [OverrideView] { [] }
    func audit(_ page: PageRequest) async throws -> Page<DecisionView> { Page(items: [], total: 0, next: nil) }
}
