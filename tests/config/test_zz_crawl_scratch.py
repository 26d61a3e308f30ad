import re, html, os, collections
from html.parser import HTMLParser
import pytest
from django.urls import reverse, get_resolver
from django.contrib import admin
from tests.factories.portal import a_business, signed_in

class P(HTMLParser):
    def __init__(s):
        super().__init__(); s.skip=0; s.out=[]; s.links=set()
    def handle_starttag(s,t,a):
        d=dict(a)
        if t in("script","style","svg"): s.skip+=1
        if "material-symbols-outlined" in (d.get("class") or ""): s.icon=True
        else: s.icon=False
        for k in("title","placeholder","aria-label","alt"):
            if d.get(k): s.out.append(f"@{k}:{d[k]}")
        if t=="input" and d.get("type") in("submit","button"): s.out.append("@value:"+(d.get("value")or""))
        for k in ("href","hx-get"):
            if (d.get(k) or "").startswith(("/","?")): s.links.add(d[k])
    def handle_endtag(s,t):
        if t in("script","style","svg"): s.skip-=1
        s.icon=False
    def handle_data(s,x):
        if not s.skip and not getattr(s,"icon",False) and x.strip(): s.out.append(x.strip())

@pytest.mark.django_db
def test_crawl():
    a_business(2)
    from tests.factories.portal import a_named_member
    a_named_member(home_store_id=None)
    lang=os.environ.get("CRAWL","zh-hans")
    c=signed_in(superuser=True,language=lang)
    seen=set(); todo=[reverse("admin:index"),"/admin/login/"]
    for m,ma in admin.site._registry.items():
        o=m._meta
        for n in("changelist","add"):
            try: todo.append(reverse(f"admin:{o.app_label}_{o.model_name}_{n}"))
            except Exception: pass
    words=collections.defaultdict(set); bad=[]
    shape=collections.Counter()
    while todo and len(seen)<500:
        u=todo.pop(0)
        if u in seen or "logout" in u or "/static/" in u or "/jsi18n" in u: continue
        seen.add(u)
        s=re.sub(r"\d+","N",u.split("?")[0])
        shape[s]+=1
        if shape[s]>3: continue
        try: r=c.get(u)
        except Exception as e: bad.append((u,repr(e)[:300])); continue
        if r.status_code!=200: bad.append((u,r.status_code,r.get("Location"))); continue
        if "html" not in r["Content-Type"]: continue
        p=P(); p.feed(r.content.decode())
        for f in p.out:
            if re.search(r"[A-Za-z]{2,}",f): words[f].add(s)
        for l in p.links:
            if l.startswith("?"): l=u.split("?")[0]+l
            if l.startswith("/admin") or l.startswith("/portal") or l.startswith(todo[0][:5] if todo else "/admin"): todo.append(html.unescape(l))
    with open(f"/tmp/tr/crawl/{lang}.txt","w") as f:
        for b in bad: f.write(f"BAD {b}\n")
        for s,n in sorted(shape.items()): f.write(f"PAGE {s} {n}\n")
        for w,ss in sorted(words.items()): f.write(f"{w!r}   @{sorted(ss)[:3]} {len(ss)}\n")
