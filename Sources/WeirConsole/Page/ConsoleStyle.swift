/// The console's look: light and dark by the system's wish, one column of cards on a phone. All colours are
/// variables; each pair of ink and ground has a contrast of 4.5 : 1 at least.
enum ConsoleStyle {
    static let text = """
        :root{color-scheme:light dark;--bg:#f7f8fa;--panel:#fff;--line:#d9dee5;--ink:#14181f;--mute:#545d6b;
        --acc:#0b57d0;
        --open:#0b6b3a;--openbg:#e3f4ea;--fill:#8a5300;--fillbg:#fdf0d5;--hold:#b3261e;--holdbg:#fce8e6;--queue:#3f4fb5;
        --queuebg:#e8eafc;--susp:#7a2e8e;--suspbg:#f5e6f8;--drop:#8a1c55;--dropbg:#fde6f1;--rest:#4b5563;
        --restbg:#e9ebef}
        @media (prefers-color-scheme:dark){:root{--bg:#0f1216;--panel:#171b21;--line:#2b323c;--ink:#e8ebf0;
        --mute:#a3adba;
        --acc:#8ab4f8;--open:#6fd69b;--openbg:#12301f;--fill:#f2bf5e;--fillbg:#3a2a0a;--hold:#ff9a91;--holdbg:#43191a;
        --queue:#aab4ff;--queuebg:#20264d;--susp:#e2a7f0;--suspbg:#371a40;--drop:#f3a2c6;--dropbg:#43162d;
        --rest:#c3cad4;
        --restbg:#2b323c}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.45 Inter,ui-sans-serif,system-ui,sans-serif}
        a{color:var(--acc)}
        a:focus-visible,button:focus-visible{outline:2px solid var(--acc);outline-offset:2px}
        header{display:flex;gap:18px;align-items:center;padding:10px 20px;background:var(--panel);
        border-bottom:1px solid var(--line);flex-wrap:wrap}
        .brand{display:flex;gap:8px;align-items:center;font-size:15px;font-weight:700;color:var(--ink);
        text-decoration:none}
        .logo{color:var(--acc)}
        nav{display:flex;gap:14px;flex-wrap:wrap}
        nav a{color:var(--mute);text-decoration:none;padding:2px 0}
        nav a[aria-current]{color:var(--ink);font-weight:600;border-bottom:2px solid var(--acc)}
        .space{flex:1}
        .live{color:var(--mute);font-size:13px;font-variant-numeric:tabular-nums}
        .live.stale{color:var(--fill);background:var(--fillbg);border-radius:12px;padding:1px 9px;font-weight:600}
        .skip{position:absolute;left:-999px;top:4px;background:var(--panel);padding:6px 10px}
        .skip:focus{left:8px}
        main{max-width:1240px;margin:0 auto;padding:18px 20px 40px}
        h1{font-size:20px;margin:0 0 12px;overflow-wrap:anywhere}
        .tiles{display:grid;grid-template-columns:repeat(5,1fr);gap:10px;margin-bottom:16px}
        .tile{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 12px}
        .tile span{color:var(--mute);font-size:12px}
        .tile strong{display:block;font-size:20px;font-variant-numeric:tabular-nums;white-space:nowrap}
        .panel{background:var(--panel);border:1px solid var(--line);border-radius:8px;margin-bottom:16px;overflow:auto}
        .panel h2{font-size:13px;margin:0;padding:10px 14px;border-bottom:1px solid var(--line)}
        .panel p,.acts{padding:4px 14px;max-width:70ch}
        code{font:13px ui-monospace,"JetBrains Mono",monospace;background:var(--restbg);border-radius:4px;
        padding:1px 5px}
        table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
        th,td{padding:8px 14px;text-align:left;border-top:1px solid var(--line);white-space:nowrap}
        tbody th{white-space:normal;overflow-wrap:anywhere;min-width:9.5em}
        thead th{border-top:0;font-size:12px;color:var(--mute);font-weight:500}
        td.why,td.text{white-space:normal;min-width:240px;color:var(--mute);overflow-wrap:anywhere}
        td.text{color:var(--ink)}
        td.note{color:var(--mute);white-space:normal;overflow-wrap:anywhere}
        td svg{display:block}
        .i-open{fill:var(--open)}.i-fill{fill:var(--fill)}.i-hold{fill:var(--hold)}.i-queue{fill:var(--queue)}
        .i-susp{fill:var(--susp)}.i-drop{fill:var(--drop)}.i-rest{fill:var(--rest)}
        .st{display:inline-flex;gap:6px;align-items:center;border-radius:12px;padding:1px 9px;font-size:12px;
        font-weight:600}
        .open{color:var(--open);background:var(--openbg)}.fill{color:var(--fill);background:var(--fillbg)}
        .hold{color:var(--hold);background:var(--holdbg)}.queue{color:var(--queue);background:var(--queuebg)}
        .susp{color:var(--susp);background:var(--suspbg)}.drop{color:var(--drop);background:var(--dropbg)}
        .rest{color:var(--rest);background:var(--restbg)}
        .head{display:flex;gap:12px;align-items:center;flex-wrap:wrap;margin-bottom:12px}.head h1{margin:0}
        .gone{display:none}.choice{display:inline-block;margin:2px 6px 2px 0}
        button{font:inherit;font-size:12px;color:var(--ink);background:var(--panel);border:1px solid var(--line);
        border-radius:6px;padding:3px 10px;min-height:26px;cursor:pointer}
        button:hover{border-color:var(--acc)}button.main{color:var(--panel);background:var(--acc);
        border-color:var(--acc)}
        .graph{display:block}.graph text{fill:var(--ink);font:12px Inter,ui-sans-serif,system-ui,sans-serif;
        white-space:pre}
        .graph .m{fill:var(--mute);font-size:11px}.box{fill:var(--panel);stroke:var(--line)}
        .edge{fill:none;stroke-width:3}
        .e-open{stroke:var(--open)}.e-fill{stroke:var(--fill)}.e-hold{stroke:var(--hold);stroke-dasharray:3 6}
        .e-queue{stroke:var(--queue);stroke-dasharray:14 4}.e-susp{stroke:var(--susp);stroke-dasharray:8 5}
        .e-drop{stroke:var(--drop);stroke-dasharray:2 3}.e-rest{stroke:var(--rest);stroke-dasharray:8 8}
        .b-open{fill:var(--open)}.b-fill{fill:var(--fill)}.b-hold{fill:var(--hold)}.b-queue{fill:var(--queue)}
        .b-susp{fill:var(--susp)}.b-drop{fill:var(--drop)}.b-rest{fill:var(--rest)}.track{fill:var(--line)}
        .spark{fill:none;stroke:var(--acc);stroke-width:1.5}.mark{stroke:var(--line);stroke-dasharray:2 3}
        .flow-list{display:none;list-style:none;margin:0;padding:0}
        .flow-list li{padding:10px 14px;border-top:1px solid var(--line);display:grid;gap:4px}
        .flow-list li:first-child{border-top:0}
        .flow-list .from,.m{color:var(--mute);font-size:13px}
        .level{width:100%;height:7px;border-radius:3px;display:block}
        .level.tall{margin:12px 14px;width:calc(100% - 28px);height:9px}
        .facts th{color:var(--mute);font-weight:500;width:1%;white-space:nowrap;vertical-align:top}
        .facts tr:first-child>*{border-top:0}
        .full{color:var(--hold);font-weight:600}.trouble{display:block;font-weight:400;font-size:12px}
        .trouble.shown{color:var(--hold)}.trouble.gone,.warning.gone{display:none}
        .warning{color:var(--hold);background:var(--holdbg);border-radius:8px;padding:8px 14px;margin:0 0 12px}
        .panel pre{margin:0;padding:10px 14px;overflow:auto;font:13px ui-monospace,"JetBrains Mono",monospace;
        white-space:pre-wrap;overflow-wrap:anywhere;max-height:20em}
        .work{border-radius:3px}
        .filter{display:flex;gap:8px 10px;align-items:center;flex-wrap:wrap;margin-bottom:12px}
        .filter label,.ask label{color:var(--mute);font-size:12px}
        input,select{font:inherit;font-size:13px;color:var(--ink);background:var(--panel);border:1px solid var(--mute);
        border-radius:6px;padding:3px 8px;min-height:28px;max-width:100%}
        input:focus-visible,select:focus-visible,pre:focus-visible{outline:2px solid var(--acc);outline-offset:2px}
        .ask{display:grid;gap:8px;padding:4px 14px;max-width:70ch}
        .pager{display:flex;gap:14px;align-items:center;flex-wrap:wrap;color:var(--mute)}.pager a,.crumbs a{
        color:var(--acc);text-decoration:underline}
        .crumbs{margin-bottom:4px;font-size:13px}
        .warning code{background:none;padding:0}
        .empty{padding-bottom:10px}.inside{font-size:16px;padding:12px 14px 0;margin:0}
        .unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
        @media (max-width:700px){
        header{gap:12px;padding:10px 14px}main{padding:14px 12px 32px}
        .tiles{grid-template-columns:repeat(2,1fr)}.tile strong{font-size:17px}
        .tile:last-child:nth-child(odd){grid-column:1/-1}
        .graph{display:none}.flow-list{display:block}
        [role=table] thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
        [role=table],[role=table] tbody{display:block}
        [role=table] tr{display:flex;flex-wrap:wrap;gap:6px 14px;align-items:center;padding:12px 14px;
        border-top:1px solid var(--line)}
        [role=table] tbody tr:first-child{border-top:0}
        [role=table] th,[role=table] td{display:block;padding:0;border:0;white-space:normal}
        [role=table] tbody th{flex:1}.stack tbody th{flex-basis:100%!important}
        td[data-label]::before{content:attr(data-label) ": ";color:var(--mute);font-size:12px}
        .facts th,.facts td{display:block;border:0;padding:0 14px}.facts tr{display:block;padding:8px 0;
        border-top:1px solid var(--line)}
        .facts th{width:auto;font-size:12px}.facts td:empty{display:none}
        td.wide{display:none!important}td.why,td.text{flex-basis:100%;min-width:0}
        button{min-height:32px;padding:5px 14px}.filter{display:grid;grid-template-columns:auto 1fr}
        .filter button{grid-column:2;justify-self:start}
        }
        @media (prefers-reduced-motion:no-preference){.edge,.b-open,.b-fill,.b-hold,.b-queue,.b-susp,.b-drop,.b-rest{
        transition:stroke .4s,fill .4s,width .4s}}
        """
}
