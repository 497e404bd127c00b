import HTTPTypes
import Hummingbird
import WeirNode

/// The console's pages.
struct Pages: Sendable {
    let observatory: Observatory
    let streams: StreamLimit
    let api: APIEndpoints

    func add(to router: Router<BasicRequestContext>) {
        router.get("/") { _, _ in Answer.page(OverviewPage(seen: observatory.look()).markup) }
        router.get("/console.css") { _, _ in Answer.text(ConsoleStyle.text, type: "text/css; charset=utf-8") }
    }
}
